package dashboard

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/settlement"
)

// frame is what surrounds a page.
type frame struct {
	assets map[string]string
	title  string
	caller api.Caller
	jobs   bool
	notice string // what was done by the request before
	query  string // what is searched for
	here   string // the entry of the navigation that is shown
}

func (p *pages) frame(r *http.Request, title, here string) frame {
	caller := callerOf(r)
	return frame{
		assets: p.assets, title: title, caller: caller, jobs: p.cfg.Jobs != nil && operator(caller), here: here,
		notice: p.sessions.PopString(r.Context(), sessionNotice),
	}
}

// fail shows what went wrong: the API's problem, or that it is ours.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	problem, ok := errors.AsType[*api.Problem](err)
	if !ok {
		if r.Context().Err() == nil { // else the client has gone
			p.cfg.Logger.ErrorContext(r.Context(), "page failed", "err", err)
		}
		problem = &api.Problem{
			Title: "Something went wrong on our side", Status: http.StatusInternalServerError, Code: api.Internal,
			Detail: "The log has the reason.", RequestID: w.Header().Get("X-Request-Id"),
		}
	}
	if partial(r) {
		p.show(w, r, problem.Status, fault(*problem))
		return
	}
	p.show(w, r, problem.Status, faultPage(frame{assets: p.assets, title: problem.Title, caller: callerOf(r)}, *problem))
}

func (p *pages) handleNotFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, &api.Problem{Title: "There is no such page", Status: http.StatusNotFound, Code: api.NotFound})
}

// queueNames is queue → what people call it, and who has to act.
var queueNames = map[string][2]string{
	"approvals":    {"Approvals", "wait for a second person"},
	"needs_review": {"Needs review", "a person must decide"},
	"disputes":     {"Disputes", "frozen until decided"},
	"stuck":        {"Stuck", "we act next, and nothing came of it"},
	"parked":       {"Parked", "the orchestrator has to come back"},
}

// shown is how many of each queue the overview shows.
const shown = 8

type overview struct {
	halts     []api.Halt
	queues    []api.QueueCount
	approvals []api.Approval
	waiting   map[string][]api.QueueItem // queue → the longest waiting
	newest    []api.PaymentSummary
}

func (p *pages) handleOverview(w http.ResponseWriter, r *http.Request) {
	few := url.Values{"limit": {strconv.Itoa(shown)}}
	counts, err := get[api.Queues](p, r, "/v1/admin/queues", nil)
	o := overview{queues: counts.Queues, waiting: make(map[string][]api.QueueItem)}
	for _, q := range counts.Queues {
		switch {
		case err != nil || q.Count == 0:
		case q.Queue == "approvals":
			var list api.Approvals
			list, err = get[api.Approvals](p, r, "/v1/admin/approvals", few)
			o.approvals = list.Items
		default:
			var page api.QueuePage
			page, err = get[api.QueuePage](p, r, "/v1/admin/queues/"+q.Queue, few)
			o.waiting[q.Queue] = page.Items
		}
	}
	if err == nil {
		var halts api.Halts
		halts, err = get[api.Halts](p, r, "/v1/admin/halts", nil)
		o.halts = halts.Halts
	}
	if err == nil {
		var newest api.Payments
		newest, err = get[api.Payments](p, r, "/v1/admin/payments", few)
		o.newest = newest.Items
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, overviewPage(p.frame(r, "Overview", ""), o, p.cfg.Now()))
}

func (p *pages) handleQueue(w http.ResponseWriter, r *http.Request) {
	queue := chi.URLParam(r, "queue")
	name, ok := queueNames[queue]
	if !ok {
		p.handleNotFound(w, r)
		return
	}
	query := url.Values{"limit": {"50"}}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	f := p.frame(r, name[0], queue)
	if queue == "approvals" {
		list, err := get[api.Approvals](p, r, "/v1/admin/approvals", query)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		p.show(w, r, http.StatusOK, approvalsPage(f, list.Items, nextPage(r, list.NextCursor), p.cfg.Now()))
		return
	}
	page, err := get[api.QueuePage](p, r, "/v1/admin/queues/"+queue, query)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, queuePage(f, queue, page.Items, nextPage(r, page.NextCursor), p.cfg.Now()))
}

// nextPage is the address of the page after this one; empty on the last one.
func nextPage(r *http.Request, cursor *string) string {
	if cursor == nil {
		return ""
	}
	query := r.URL.Query()
	query.Set("cursor", *cursor)
	return r.URL.Path + "?" + query.Encode()
}

// filters are the search's own parameters, which the API knows by the same names.
var filters = []string{"state", "flag", "chain", "token", "min_amount", "max_amount", "from", "to", "marketplace", "cursor"}

type search struct {
	values   url.Values // of the form
	found    []api.PaymentSummary
	next     string
	searched bool
	problem  *api.Problem
}

func (p *pages) handleSearch(w http.ResponseWriter, r *http.Request) {
	s := search{values: r.URL.Query()}
	text := strings.TrimSpace(s.values.Get("q"))
	if id, err := settlement.ParsePaymentID(text); err == nil {
		goTo(w, r, root+"/payments/"+id.String())
		return
	}
	query := url.Values{"limit": {"50"}}
	for _, name := range filters {
		if value := s.values.Get(name); value != "" {
			query.Set(name, value)
			s.searched = true
		}
	}
	days(query)
	// Whatever was typed is looked for as what it can be.
	readings := []string{""}
	if text != "" {
		readings, s.searched = []string{"txid", "address", "order_id"}, true
	}
	for _, reading := range readings {
		if !s.searched {
			break
		}
		asked := url.Values{}
		for name, values := range query {
			asked[name] = values
		}
		if reading != "" {
			asked.Set(reading, text)
		}
		list, err := get[api.Payments](p, r, "/v1/admin/payments", asked)
		if problem, refused := errors.AsType[*api.Problem](err); refused && problem.Code == api.ValidationFailed {
			if len(problem.Errors) == 1 && problem.Errors[0].Location == "query."+reading {
				continue // it is none of these
			}
			s.problem = problem
			break
		}
		if err != nil {
			p.fail(w, r, err)
			return
		}
		s.found, s.next = list.Items, nextPage(r, list.NextCursor)
		if len(s.found) > 0 {
			break
		}
	}
	if text != "" && len(s.found) == 1 && s.next == "" {
		goTo(w, r, root+"/payments/"+s.found[0].PaymentID)
		return
	}
	f := p.frame(r, "Search", "search")
	f.query = text
	p.show(w, r, http.StatusOK, searchPage(f, s))
}

type story struct {
	payment   api.Payment
	approvals []api.Approval
}

func (p *pages) story(r *http.Request) (story, error) {
	id := chi.URLParam(r, "id")
	payment, err := get[api.Payment](p, r, "/v1/payments/"+id, nil)
	return story{payment, payment.Approvals}, err
}

func (p *pages) handlePayment(w http.ResponseWriter, r *http.Request) {
	s, err := p.story(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, paymentPage(p.frame(r, "Order "+s.payment.OrderID, "payment"), s, p.cfg.Now()))
}

// handleNews tells a page that is open whether its payment has changed since.
func (p *pages) handleNews(w http.ResponseWriter, r *http.Request) {
	payment, err := get[api.Payment](p, r, "/v1/payments/"+chi.URLParam(r, "id"), nil)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if r.URL.Query().Get("version") == strconv.FormatInt(payment.Version, 10) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	p.show(w, r, http.StatusOK, news(payment))
}

// handleEvidence hands out a document of a dispute as the API does: as a file, whatever it is.
func (p *pages) handleEvidence(w http.ResponseWriter, r *http.Request) {
	err := p.pass(w, r, question{
		method: http.MethodGet, path: "/v1/admin/payments/" + chi.URLParam(r, "id") + "/evidence/" + chi.URLParam(r, "sha256"),
	})
	if err != nil {
		p.fail(w, r, err)
	}
}

// handleStatements shows a form; what it asks for is a file.
func (p *pages) handleStatements(w http.ResponseWriter, r *http.Request) {
	// Last month, which is over.
	now := p.cfg.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	p.show(w, r, http.StatusOK, statementsPage(p.frame(r, "Statements", "statements"), url.Values{
		"from": {month.AddDate(0, -1, 0).Format(time.DateOnly)}, "to": {month.Format(time.DateOnly)},
	}))
}

func (p *pages) handleStatement(w http.ResponseWriter, r *http.Request) {
	query := make(url.Values)
	for _, name := range []string{"from", "to", "marketplace", "chain", "token", "format"} {
		if value := strings.TrimSpace(r.URL.Query().Get(name)); value != "" {
			query.Set(name, value)
		}
	}
	days(query)
	if err := p.pass(w, r, question{method: http.MethodGet, path: "/v1/admin/statements", query: query}); err != nil {
		p.fail(w, r, err)
	}
}

// days turns the days of a period, as browsers send them, into times.
func days(query url.Values) {
	for _, name := range []string{"from", "to"} {
		if day := query.Get(name); len(day) == len(time.DateOnly) {
			query.Set(name, day+"T00:00:00Z")
		}
	}
}

// handleAddEvidence hands a document over to the API as it comes in. The fields stand before the document, as in the page's form.
func (p *pages) handleAddEvidence(w http.ResponseWriter, r *http.Request) {
	name, handed, err := p.addEvidence(r)
	if err != nil {
		// A browser that may not send to the end does not read why.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxDrained))
		p.fail(w, r, err)
		return
	}
	p.sessions.Put(r.Context(), sessionNotice, fmt.Sprintf("Handed in: %s, %s, %d bytes, SHA-256 %s.", name, handed.MediaType, handed.Size, handed.SHA256))
	goTo(w, r, root+"/payments/"+chi.URLParam(r, "id"))
}

// maxDrained is how many bytes of a document are read that was refused.
const maxDrained = 64 << 20

func (p *pages) addEvidence(r *http.Request) (name string, handed api.Exhibit, err error) {
	malformed := &api.Problem{
		Title: "No document came", Status: http.StatusBadRequest, Code: api.RequestMalformed, Detail: "Choose a document and send the form again.",
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return "", handed, malformed
	}
	fields := make(map[string]string)
	for {
		part, err := parts.NextPart()
		if err != nil {
			return "", handed, malformed
		}
		if part.FormName() == "document" && part.FileName() != "" {
			handed, err = ask[api.Exhibit](p, r, question{
				method: http.MethodPost, path: "/v1/admin/payments/" + chi.URLParam(r, "id") + "/evidence",
				query: url.Values{"party": {fields["party"]}, "reason": {strings.TrimSpace(fields["reason"])}},
				headers: map[string]string{
					"If-Match": strconv.Quote(fields["version"]), "Idempotency-Key": rand.Text(), "Content-Type": part.Header.Get("Content-Type"),
				},
				raw: part,
			})
			return part.FileName(), handed, err
		}
		value, err := io.ReadAll(io.LimitReader(part, maxForm))
		if err != nil || len(fields) > len(fieldNames) {
			return "", handed, malformed
		}
		fields[part.FormName()] = string(value)
	}
}

// intent is an action that somebody has filled in.
type intent struct {
	payment, action, reason string
	fields                  map[string]string // what the action needs beside its reason, as the API names it
	version                 string            // of the payment that was looked at
	changed                 string            // what has changed since it was looked at first
	key                     string            // of the request, so that a second click does nothing
}

// fieldNames are what actions need beside their reason.
var fieldNames = []string{"txid", "position", "party", "dispute_reason", "to_payee", "to_payer", "amount", "receiver"}

func (p *pages) intent(w http.ResponseWriter, r *http.Request) intent {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	in := intent{
		payment: chi.URLParam(r, "id"), action: chi.URLParam(r, "action"), reason: strings.TrimSpace(r.PostFormValue("reason")),
		fields: make(map[string]string), key: r.PostFormValue("key"),
	}
	if versions := r.PostForm["version"]; len(versions) > 0 {
		in.version = versions[len(versions)-1] // where it has changed meanwhile, the one that was shown last
	}
	for _, name := range fieldNames {
		if value := strings.TrimSpace(r.PostFormValue(name)); value != "" {
			in.fields[name] = value
		}
	}
	// A transfer is chosen as one value.
	if txid, position, ok := strings.Cut(r.PostFormValue("transfer"), " "); ok {
		in.fields["txid"], in.fields["position"] = txid, position
	}
	return in
}

// handleAct first says what an action would do, and does it when that was confirmed.
func (p *pages) handleAct(w http.ResponseWriter, r *http.Request) {
	in := p.intent(w, r)
	confirmed := in.key != ""
	if !confirmed {
		in.key = rand.Text()
	}
	done, err := p.act(r, in, !confirmed)
	if problem, refused := errors.AsType[*api.Problem](err); refused && problem.Code == api.VersionChanged {
		// Nothing is lost of what was filled in: what it would do now is shown, beside what has changed.
		var now api.Payment
		if now, err = get[api.Payment](p, r, "/v1/payments/"+in.payment, nil); err == nil {
			in.version, in.key, in.changed, confirmed = strconv.FormatInt(now.Version, 10), rand.Text(), problem.Detail, false
			done, err = p.act(r, in, true)
		}
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	switch {
	case confirmed && done.Done:
		p.sessions.Put(r.Context(), sessionNotice, actionName(in.action)+": done. The payment is "+words(string(done.State))+".")
		goTo(w, r, root+"/payments/"+in.payment)
	case confirmed:
		p.sessions.Put(r.Context(), sessionNotice, actionName(in.action)+": asked for. "+approvalsNeeded(done.ApprovalsNeeded)+".")
		goTo(w, r, root+"/approvals/"+done.Approval.ApprovalID)
	case partial(r):
		p.show(w, r, http.StatusOK, preview(in, done))
	default:
		p.show(w, r, http.StatusOK, previewPage(p.frame(r, actionName(in.action), "payment"), in, done))
	}
}

func (p *pages) act(r *http.Request, in intent, dryRun bool) (api.Acted, error) {
	body := maps.Clone(in.fields)
	body["reason"] = in.reason
	return ask[api.Acted](p, r, question{
		method: http.MethodPost, path: "/v1/admin/payments/" + in.payment + "/actions/" + in.action,
		query:   url.Values{"dry_run": {strconv.FormatBool(dryRun)}},
		headers: map[string]string{"If-Match": strconv.Quote(in.version), "Idempotency-Key": in.key}, body: body,
	})
}

func (p *pages) handleApproval(w http.ResponseWriter, r *http.Request) {
	approval, err := get[api.Approval](p, r, "/v1/admin/approvals/"+chi.URLParam(r, "id"), nil)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, approvalPage(p.frame(r, "Request for approval", "approvals"), approval, p.cfg.Now()))
}

func (p *pages) handleVote(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, vote := chi.URLParam(r, "id"), chi.URLParam(r, "vote")
	body := map[string]string{}
	if reason := strings.TrimSpace(r.PostFormValue("reason")); reason != "" {
		body["reason"] = reason
	}
	approval, err := ask[api.Approval](p, r, question{
		method: http.MethodPost, path: "/v1/admin/approvals/" + id + "/" + vote,
		headers: map[string]string{"If-Match": strconv.Quote(r.PostFormValue("hash"))}, body: body,
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	notice := "Your word is recorded; another person has to approve as well."
	switch approval.State {
	case "executed":
		notice = "Approved and done."
	case "rejected":
		notice = "Rejected. Nothing was done."
	}
	p.sessions.Put(r.Context(), sessionNotice, notice)
	goTo(w, r, root+"/payments/"+approval.PaymentID)
}
