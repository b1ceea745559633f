package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// APIKey is a key of the API without the key itself, which is shown once and stored as a hash.
type APIKey struct {
	ID          settlement.PaymentID // a UUIDv7
	Marketplace string               // empty: all marketplaces, with scope admin only
	Name        string
	Scope       string // read, operate or admin
	CreatedAt   time.Time
	RevokedAt   *time.Time
	// Person is whose key it is; nil for a machine's. Of those that APIKeys lists it has the name alone.
	Person *Person
}

// Person is somebody who may use the API.
type Person struct {
	ID              settlement.PaymentID // a UUIDv7
	Issuer, Subject string               // OpenID Connect
	Name            string
	Marketplace     string // empty: all marketplaces, with scope admin only
	Scope           string // read, operate or admin
	ScopeSince      time.Time
	CreatedAt       time.Time
	RevokedAt       *time.Time
}

// CreateAPIKey stores a key by its hash.
func CreateAPIKey(ctx context.Context, db DB, k APIKey, hash [sha256.Size]byte) error {
	p := sqlcgen.InsertAPIKeyParams{
		ID: k.ID, Marketplace: optional(k.Marketplace), Name: k.Name, Scope: k.Scope, Hash: hash[:], Now: k.CreatedAt,
	}
	if k.Person != nil {
		p.PersonID = &k.Person.ID
	}
	if err := sqlcgen.New(db).InsertAPIKey(ctx, p); err != nil {
		return fmt.Errorf("create API key %q: %w", k.Name, err)
	}
	return nil
}

// APIKeyByHash returns ErrNotFound for a key that is unknown or revoked, or whose person is.
func APIKeyByHash(ctx context.Context, db DB, hash [sha256.Size]byte) (APIKey, error) {
	r, err := sqlcgen.New(db).APIKeyByHash(ctx, hash[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return APIKey{}, ErrNotFound
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	k := APIKey{ID: r.ID, Marketplace: text(r.Marketplace), Name: r.Name, Scope: r.Scope, CreatedAt: r.CreatedAt.UTC()}
	if r.PersonID != nil {
		k.Person = &Person{
			ID: *r.PersonID, Name: text(r.PersonName), Marketplace: text(r.PersonMarketplace), Scope: text(r.PersonScope), ScopeSince: r.PersonScopeSince.UTC(),
		}
	}
	return k, nil
}

// APIKeys lists all keys, revoked ones too, oldest first.
func APIKeys(ctx context.Context, db DB) ([]APIKey, error) {
	rows, err := sqlcgen.New(db).APIKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	keys := make([]APIKey, len(rows))
	for i, r := range rows {
		keys[i] = APIKey{ID: r.ID, Marketplace: text(r.Marketplace), Name: r.Name, Scope: r.Scope, CreatedAt: r.CreatedAt.UTC(), RevokedAt: r.RevokedAt}
		if r.PersonName != nil {
			keys[i].Person = &Person{Name: *r.PersonName}
		}
	}
	return keys, nil
}

// CreatePerson records somebody who may use the API; scope and person count from now on.
func CreatePerson(ctx context.Context, db DB, p Person) error {
	err := sqlcgen.New(db).InsertPerson(ctx, sqlcgen.InsertPersonParams{
		ID: p.ID, Issuer: p.Issuer, Subject: p.Subject, Name: p.Name, Marketplace: optional(p.Marketplace), Scope: p.Scope, Now: p.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("add person %q: %w", p.Name, err)
	}
	return nil
}

// PersonBySubject returns ErrNotFound for one that is unknown or revoked.
func PersonBySubject(ctx context.Context, db DB, issuer, subject string) (Person, error) {
	r, err := sqlcgen.New(db).PersonBySubject(ctx, sqlcgen.PersonBySubjectParams{Issuer: issuer, Subject: subject})
	if errors.Is(err, pgx.ErrNoRows) {
		return Person{}, ErrNotFound
	}
	if err != nil {
		return Person{}, fmt.Errorf("read person: %w", err)
	}
	return Person{
		ID: r.ID, Issuer: issuer, Subject: subject, Name: r.Name, Marketplace: text(r.Marketplace), Scope: r.Scope, ScopeSince: r.ScopeSince.UTC(),
	}, nil
}

// Persons lists everybody, revoked ones too, oldest first.
func Persons(ctx context.Context, db DB) ([]Person, error) {
	rows, err := sqlcgen.New(db).Persons(ctx)
	if err != nil {
		return nil, fmt.Errorf("list persons: %w", err)
	}
	persons := make([]Person, len(rows))
	for i, r := range rows {
		persons[i] = Person{
			ID: r.ID, Issuer: r.Issuer, Subject: r.Subject, Name: r.Name, Marketplace: text(r.Marketplace), Scope: r.Scope,
			ScopeSince: r.ScopeSince.UTC(), CreatedAt: r.CreatedAt.UTC(), RevokedAt: r.RevokedAt,
		}
	}
	return persons, nil
}

// SetPersonScope gives the person another scope or marketplace, which counts from now on. It returns ErrNotFound for one that
// does not exist or is revoked.
func SetPersonScope(ctx context.Context, db DB, id settlement.PaymentID, scope, marketplace string, now time.Time) error {
	n, err := sqlcgen.New(db).SetPersonScope(ctx, sqlcgen.SetPersonScopeParams{
		Scope: scope, Now: now, Marketplace: optional(marketplace), ID: id,
	})
	if err != nil {
		return fmt.Errorf("change person %s: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// RevokePerson ends the person and all of his keys. It returns ErrNotFound for one that does not exist or is revoked already.
func RevokePerson(ctx context.Context, db DB, id settlement.PaymentID, now time.Time) error {
	n, err := sqlcgen.New(db).RevokePerson(ctx, sqlcgen.RevokePersonParams{Now: now, ID: id})
	if err != nil {
		return fmt.Errorf("revoke person %s: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// RevokeAPIKey returns ErrNotFound for a key that does not exist or is revoked already.
func RevokeAPIKey(ctx context.Context, db DB, id settlement.PaymentID, now time.Time) error {
	n, err := sqlcgen.New(db).RevokeAPIKey(ctx, sqlcgen.RevokeAPIKeyParams{Now: now, ID: id})
	if err != nil {
		return fmt.Errorf("revoke API key %s: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// IdempotentAnswer is what a write was answered under its Idempotency-Key.
type IdempotentAnswer struct {
	Request [sha256.Size]byte // of method, path and body
	Status  int               // HTTP status; 0 while the write has not been answered
	Answer  []byte            // body of the answer
}

// ReserveIdempotencyKey binds the key to the request unless it is bound already, and returns what is stored under it:
// another request than the given one means that the key was used for something else.
func ReserveIdempotencyKey(ctx context.Context, db DB, owner, key string, request [sha256.Size]byte, now time.Time) (IdempotentAnswer, error) {
	err := sqlcgen.New(db).ReserveIdempotencyKey(ctx, sqlcgen.ReserveIdempotencyKeyParams{
		ApiKeyID: owner, Key: key, Request: request[:], Now: now,
	})
	if err != nil {
		return IdempotentAnswer{}, fmt.Errorf("reserve idempotency key: %w", err)
	}
	return FindIdempotentAnswer(ctx, db, owner, key)
}

// FindIdempotentAnswer returns ErrNotFound for a key that was not used.
func FindIdempotentAnswer(ctx context.Context, db DB, owner, key string) (IdempotentAnswer, error) {
	r, err := sqlcgen.New(db).IdempotentAnswer(ctx, sqlcgen.IdempotentAnswerParams{ApiKeyID: owner, Key: key})
	if errors.Is(err, pgx.ErrNoRows) {
		return IdempotentAnswer{}, ErrNotFound
	}
	if err != nil {
		return IdempotentAnswer{}, fmt.Errorf("read idempotency key: %w", err)
	}
	return IdempotentAnswer{Request: [sha256.Size]byte(r.Request), Status: int(r.Status), Answer: r.Answer}, nil
}

// SaveIdempotentAnswer stores the answer of a reserved key and returns the one that counts: of two requests at the same
// time that is the first one stored.
func SaveIdempotentAnswer(ctx context.Context, db DB, owner, key string, status int, answer []byte) (IdempotentAnswer, error) {
	err := sqlcgen.New(db).SaveIdempotentAnswer(ctx, sqlcgen.SaveIdempotentAnswerParams{
		ApiKeyID: owner, Key: key, Status: int32(status), Answer: answer,
	})
	if err != nil {
		return IdempotentAnswer{}, fmt.Errorf("store idempotent answer: %w", err)
	}
	return FindIdempotentAnswer(ctx, db, owner, key)
}

// DropIdempotencyKeysBefore forgets answers older than the time.
func DropIdempotencyKeysBefore(ctx context.Context, db DB, before time.Time) error {
	if err := sqlcgen.New(db).DropIdempotencyKeysBefore(ctx, before); err != nil {
		return fmt.Errorf("drop idempotency keys: %w", err)
	}
	return nil
}

// Pairing is our own pairing with a machine: its id and the agent address that signed it.
func Pairing(ctx context.Context, db DB, marketplace, machineID string) (id, address string, err error) {
	r, err := sqlcgen.New(db).Pairing(ctx, sqlcgen.PairingParams{Marketplace: marketplace, MachineID: machineID})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", ErrNotFound
	}
	if err != nil {
		return "", "", fmt.Errorf("read pairing of %s: %w", machineID, err)
	}
	return r.PairingID, r.Address, nil
}

// SavePairing stores our pairing with a machine in place of the one before.
func SavePairing(ctx context.Context, db DB, marketplace, machineID, id, address string, now time.Time) error {
	err := sqlcgen.New(db).SavePairing(ctx, sqlcgen.SavePairingParams{
		Marketplace: marketplace, MachineID: machineID, PairingID: id, Address: address, Now: now,
	})
	if err != nil {
		return fmt.Errorf("store pairing of %s: %w", machineID, err)
	}
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
