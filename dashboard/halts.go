package dashboard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/settler-pay/settler/api"
)

// handleHalts shows whether money moves, and lets it stop.
func (p *pages) handleHalts(w http.ResponseWriter, r *http.Request) {
	halts, err := get[api.Halts](p, r, "/v1/admin/halts", nil)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	signers, err := get[api.Signers](p, r, "/v1/admin/signers", nil)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	stopped := slices.DeleteFunc(signers.Signers, func(s api.Signer) bool { return s.Stopped == "" })
	p.show(w, r, http.StatusOK, haltsPage(p.frame(r, "Kill switch", "halts"), halts, stopped, p.cfg.Now()))
}

// handleRestart lets a stopped signer sign again.
func (p *pages) handleRestart(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	now, err := ask[api.Signers](p, r, question{method: http.MethodPost, path: "/v1/admin/signers/restart", body: map[string]string{
		"chain": r.PostFormValue("chain"), "address": r.PostFormValue("address"), "reason": strings.TrimSpace(r.PostFormValue("reason")),
	}})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	notice := "It was not stopped."
	if len(now.Signers) > 0 {
		notice = fmt.Sprintf("It signs again, from nonce %d.", now.Signers[0].NextNonce)
	}
	p.sessions.Put(r.Context(), sessionNotice, notice)
	goTo(w, r, root+"/halts")
}

func (p *pages) handleSwitch(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	body := map[string]string{"reason": strings.TrimSpace(r.PostFormValue("reason"))}
	if chain := strings.TrimSpace(r.PostFormValue("chain")); chain != "" {
		body["chain"] = chain
	}
	now, err := ask[api.Halts](p, r, question{method: http.MethodPost, path: "/v1/admin/halts/" + chi.URLParam(r, "switch"), body: body})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	notice := "Halted. Nothing is signed or sent any more."
	switch {
	case !now.Changed:
		notice = "Nothing was halted there."
	case len(now.Halts) == 0:
		notice = "Resumed. Money moves again."
	case chi.URLParam(r, "switch") == "resume":
		notice = "Resumed. Other halts still stand."
	}
	p.sessions.Put(r.Context(), sessionNotice, notice)
	goTo(w, r, root+"/halts")
}
