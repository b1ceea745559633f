package dashboard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/settler-pay/settler/settlement"
)

// chromium is a browser without a window, of which every host but loopback is unknown.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("SETTLER_CHROMIUM")
	if path == "" {
		t.Skip("SETTLER_CHROMIUM names no browser; make page-check does")
	}
	ctx, stop := context.WithTimeout(t.Context(), 9*time.Minute) // go test ends after ten
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first step
		t.Fatal(err)
	}
	return ctx
}

// visitor looks at pages as people do.
type visitor struct {
	t   *testing.T
	ctx context.Context
	url string
	axe string
}

func (v *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, 2*time.Minute)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		at, _ := chromedp.Run(v.ctx, chromedp.Location()) // for the message alone
		text, _ := chromedp.Run(v.ctx, chromedp.Text(chromedp.CSS("body")))
		v.t.Fatalf("at %s: %v\n%s", at, err, text)
	}
}

// run is do for one step that has a result.
func run[T any](v *visitor, step chromedp.Action[T]) T {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, 2*time.Minute)
	defer stop()
	result, err := chromedp.Run(ctx, step)
	if err != nil {
		v.t.Fatal(err)
	}
	return result
}

// shapes are the screens that every page is looked at on. Axe is asked once for each form and each set of colours.
var shapes = []struct {
	name      string
	width     int64
	dark, axe bool
}{{"wide", 1280, false, true}, {"wide-dark", 1280, true, false}, {"phone", 380, false, false}, {"phone-dark", 380, true, true}}

// inspect looks at the page as it is on every shape: axe finds nothing, nothing is wider than the screen. With
// SETTLER_SCREENSHOTS the pictures go into that directory.
func (v *visitor) inspect(name string) {
	v.t.Helper()
	for _, s := range shapes {
		scheme := "light"
		if s.dark {
			scheme = "dark"
		}
		if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}); err != nil {
			v.t.Fatal(err)
		}
		v.do(chromedp.EmulateViewport(s.width, 900))
		wider := run(v, chromedp.Evaluate[[]string](`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1
			&& !e.closest(".hidden")).slice(0, 3).map(e => e.outerHTML.slice(0, 120))`))
		if len(wider) > 0 {
			v.t.Errorf("%s, %s: wider than the screen: %s", name, s.name, wider)
		}
		if s.axe {
			for _, violation := range run(v, chromedp.Evaluate[[]string](v.axe+`; axe.run({resultTypes: ["violations"]}).then(r => r.violations.flatMap(x =>
				x.nodes.map(n => x.id + ": " + n.html.slice(0, 160) + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise)) {
				v.t.Errorf("%s, %s: axe: %s", name, s.name, violation)
			}
		}
		if dir := os.Getenv("SETTLER_SCREENSHOTS"); dir != "" {
			picture := run(v, chromedp.FullScreenshot(100))
			if err := os.WriteFile(filepath.Join(dir, name+"-"+s.name+".png"), picture, 0o644); err != nil { //nolint:gosec // pictures for people
				v.t.Fatal(err)
			}
		}
	}
	v.do(chromedp.EmulateViewport(1280, 900))
}

// One visit to every page: what waits is found, an action is previewed and done with its reason, and a second person approves.
func TestInBrowser(t *testing.T) {
	ctx := chromium(t)
	r := newRig(t, nil)
	alice, bob, ada := r.person("alice", "acme", "admin"), r.person("bob", "acme", "admin"), r.person("ada", "", "admin")
	review, disputed := r.short("ord_4f9a", 1, 12_500_000), r.paid("ord_7c21", 2, 1_500_000)
	large := r.short("ord_91d0", 3, 250_000_000)
	r.advance(settlement.Event{ID: "disputed", Payment: disputed, Kind: settlement.EventOrderDisputed})
	r.payable("ord_e003-with-a-long-name-that-somebody-gave-it", 990_000)

	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t, ctx, r.url, string(axe)}
	v.do(chromedp.Navigate(r.url + "/dashboard/"))
	var mu sync.Mutex // guards complaints
	var complaints []string
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err == nil && (m.IsException() || m.Source == "security") {
				mu.Lock()
				complaints = append(complaints, m.String())
				mu.Unlock()
			}
		}
	}()
	// A page says first what was done. A notice below tells of a change, after some seconds.
	const done = "main > .notice:first-child"
	signIn := func(key string) {
		v.do(chromedp.Navigate(r.url+"/dashboard/"), chromedp.WaitVisible(chromedp.CSS("#key")), chromedp.SendKeys(chromedp.CSS("#key"), key+"\n"), chromedp.WaitVisible(chromedp.CSS("#live")))
	}
	v.inspect("sign-in")
	signIn(alice)
	v.inspect("overview")
	v.do(chromedp.Navigate(r.url + "/dashboard/queues/needs_review"))
	v.inspect("queue")
	v.do(chromedp.Navigate(r.url + "/dashboard/queues/disputes"))
	v.inspect("queue-disputes")
	v.do(chromedp.Navigate(r.url + "/dashboard/search?state=needs_review"))
	v.inspect("search")

	// With the keyboard alone: what was typed leads to the payment, and its action is opened, filled in and looked at.
	v.do(chromedp.SendKeys(chromedp.CSS("#q"), "ord_4f9a\n"), chromedp.WaitVisible(chromedp.CSS(".transfer")))
	v.inspect("payment")
	open := func(action string) {
		v.do(chromedp.Focus(chromedp.CSS(fmt.Sprintf(`details.action:has(form[action$="/%s"]) summary`, action))), chromedp.KeyEvent("\r"),
			chromedp.SendKeys(chromedp.CSS("#reason-"+action), "The buyer sends the rest by card, ticket 4711."),
			chromedp.Click(chromedp.CSS(fmt.Sprintf(`form[action$="/actions/%s"] > button`, action))), chromedp.WaitVisible(chromedp.CSS(".would")))
	}
	r.advance(settlement.Event{ID: "noted", Payment: review, Kind: settlement.EventNoted, Detail: "wait", Decision: &settlement.Decision{Name: "bob", Origin: "192.0.2.1"}})
	open("accept")
	v.inspect("preview-changed")
	v.do(chromedp.Click(chromedp.CSS(".would button")), chromedp.WaitVisible(chromedp.CSS(done)))
	if got := r.stateOf(review); got != settlement.StateVerified {
		t.Errorf("accepted: the payment is %s", got)
	}
	v.inspect("done")

	// Above the threshold a second person has to approve.
	v.do(chromedp.Navigate(r.url + "/dashboard/payments/" + large.String()))
	open("close")
	v.do(chromedp.Click(chromedp.CSS(".would button")), chromedp.WaitVisible(chromedp.CSS(`form[action^="/dashboard/approvals/"]`)))
	v.inspect("asked")
	v.do(chromedp.Click(chromedp.CSS(".who button")), chromedp.WaitVisible(chromedp.CSS("#key")))
	signIn(bob)
	v.inspect("overview-approvals")
	v.do(chromedp.Click(chromedp.CSS(`a[href^="/dashboard/approvals/"]`)), chromedp.WaitVisible(chromedp.CSS("#reason")))
	v.inspect("approval")
	v.do(chromedp.Click(chromedp.CSS(`form .buttons button.main`)), chromedp.WaitVisible(chromedp.CSS(done)))
	if got := r.stateOf(large); got != settlement.StateClosed {
		t.Errorf("approved: the payment is %s", got)
	}
	// A document of a party; then everything is halted, and goes on.
	letter := filepath.Join(t.TempDir(), "letter.txt")
	if err := os.WriteFile(letter, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.do(chromedp.Navigate(r.url+"/dashboard/payments/"+disputed.String()), chromedp.Click(chromedp.CSS(`details.action:has(form[action$="/evidence"]) summary`)),
		chromedp.WaitVisible(chromedp.CSS("#document")), chromedp.SendKeys(chromedp.CSS("#reason-evidence"), "The parcel as it left."),
		chromedp.SetUploadFiles(chromedp.CSS("#document"), []string{letter}))
	v.inspect("dispute-form")
	v.do(chromedp.Click(chromedp.CSS(`form[action$="/evidence"] > button`)), chromedp.WaitVisible(chromedp.CSS(".statements")))
	v.inspect("dispute")
	v.do(chromedp.Click(chromedp.CSS(".who button")), chromedp.WaitVisible(chromedp.CSS("#key")))
	signIn(ada)
	v.do(chromedp.Navigate(r.url+"/dashboard/halts"), chromedp.SendKeys(chromedp.CSS("#halt-reason"), "A key is missing; Ada is looking."),
		chromedp.Click(chromedp.CSS(`form[action$="/halts/halt"] button`)), chromedp.WaitVisible(chromedp.CSS(`form[action$="/resume"]`)))
	v.inspect("halts")
	v.do(chromedp.Navigate(r.url+"/dashboard/"), chromedp.WaitVisible(chromedp.CSS(".why.alert")))
	v.inspect("overview-halted")

	v.do(chromedp.Navigate(r.url + "/dashboard/payments/" + newID().String()))
	v.inspect("not-found")
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
}
