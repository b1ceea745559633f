package main

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

const envPrefix = "SETTLER_"

// foreign are variables with our prefix that are not keys of the configuration: the flag's own, those of tests and of
// `settler dev`, and those that Kubernetes sets for a service named settler.
var foreign = regexp.MustCompile(`^SETTLER_(CONFIG$|TEST_|DEV_|CRASH_|POSTGRES_CHILD$|FIXTURES$|REQUIRE_FIXTURES$|JUDGE$)` +
	`|_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// variablesOf are the variables of the environment that are meant for the configuration. An empty one counts as absent.
func variablesOf(environ []string) map[string]string {
	vars := make(map[string]string)
	for name, value := range env.ToMap(environ) {
		if strings.HasPrefix(name, envPrefix) && value != "" && !foreign.MatchString(name) {
			vars[name] = value
		}
	}
	return vars
}

// readEnvironment reads variables over cfg and returns every fault: a variable that no key has, with the nearest that one
// has, and values of the wrong kind.
func readEnvironment(cfg *Config, environ []string) error {
	vars := variablesOf(environ)
	known := make(map[string]bool)
	extend(reflect.ValueOf(cfg).Elem(), envPrefix, vars, known)

	var faults []error
	for name := range vars {
		if known[name] {
			continue
		}
		hint := ""
		if near := nearest(name, known); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		faults = append(faults, fmt.Errorf("environment variable %s belongs to no key%s", name, hint))
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })

	var current string // the variable that is being parsed
	kinds := make(map[reflect.Type]env.ParserFunc)
	for t, parse := range parsers {
		kinds[t] = func(text string) (any, error) {
			value, err := parse(text)
			if err != nil { // the value is not quoted, whatever it is
				return nil, fmt.Errorf("environment variable %s is not %s", current, kindOf(t))
			}
			return value, nil
		}
	}
	err := env.ParseWithOptions(cfg, env.Options{
		Environment: vars, Prefix: envPrefix, FuncMap: kinds,
		OnSet: func(name string, _ any, _ bool) { current = name },
	})
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		for _, each := range all.Errors {
			if parse, ok := errors.AsType[env.ParseError](each); ok { // it names the Go field; its Err names the variable
				each = parse.Err
			}
			faults = append(faults, each)
		}
	} else if err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// parsers → how the text of a variable becomes a value of the type; text itself needs none.
var parsers = map[reflect.Type]func(string) (any, error){
	reflect.TypeFor[time.Duration](): func(s string) (any, error) { return time.ParseDuration(s) },
	reflect.TypeFor[bool]():          func(s string) (any, error) { return strconv.ParseBool(s) },
	reflect.TypeFor[int32](): func(s string) (any, error) {
		n, err := strconv.ParseInt(s, 10, 32)
		return int32(n), err
	},
	reflect.TypeFor[uint32](): func(s string) (any, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err
	},
	reflect.TypeFor[uint8](): func(s string) (any, error) {
		n, err := strconv.ParseUint(s, 10, 8)
		return uint8(n), err
	},
	reflect.TypeFor[uint64](): func(s string) (any, error) { return strconv.ParseUint(s, 10, 64) },
}

// extend lengthens lists of structs by the elements that only the environment names, with their defaults, and notes the
// names of all variables that exist then. A gap in the indices ends a list, so what comes after it is unknown.
func extend(v reflect.Value, prefix string, vars map[string]string, known map[string]bool) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		below := prefix + tag.Get("envPrefix")
		switch {
		case field.Kind() == reflect.Struct:
			extend(field, below, vars, known)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for named(vars, below+strconv.Itoa(field.Len())+"_") {
				element := reflect.New(field.Type().Elem())
				if d, ok := element.Interface().(defaulter); ok {
					d.setDefaults()
				}
				field.Set(reflect.Append(field, element.Elem()))
			}
			for j := range field.Len() {
				extend(field.Index(j), below+strconv.Itoa(j)+"_", vars, known)
			}
		default:
			known[prefix+tag.Get("env")] = true
		}
	}
}

func named(vars map[string]string, prefix string) bool {
	for name := range vars {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
