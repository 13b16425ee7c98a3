package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

const (
	maxReplyBytes   = 64 << 10    // An answer has 200 bytes.
	refusedFor      = time.Hour   // That long a refused token is not used; a new one is used at once.
	firstAskBackoff = time.Second // After the first failure.
)

// ipinfoReply is an answer of the Lite API. Only ip is always there.
type ipinfoReply struct {
	IP          string `json:"ip"`
	ASN         string `json:"asn"`
	ASName      string `json:"as_name"`
	CountryCode string `json:"country_code"`
	Bogon       bool   `json:"bogon"`
}

// A refusal remembers which token IPinfo has refused, and until when it is not used.
type refusal struct {
	token Secret
	until time.Time
}

// ask works through the queue until ctx ends, one request at a time. A failure puts the address at the end of the queue and waits, so an outage
// costs a request now and then, and no answer.
func (e *Enricher) ask(ctx context.Context) {
	failures := 0
	var log onceLog
	for {
		addr, ok := e.queue.next(ctx)
		if !ok {
			return
		}
		config := e.configuration().IPInfo
		token := e.current.Load().token
		if token == "" {
			e.queue.clear()
			continue
		}
		pause := config.Interval
		remote, err := e.askIPInfo(ctx, config, token, addr)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			log.recovered()
			e.metrics.ipinfo.count(remote.info != (Info{}), nil)
			e.learn(addr, remote)
		case isRefused(err):
			e.metrics.ipinfo.count(false, err)
			e.refuse(token)
			e.logger.Error("IPinfo refused the token, it is tried again in an hour or when it has changed", "key", "enrichment.ipinfo_token_file", "file", config.TokenFile, "err", err)
		default:
			failures++
			e.metrics.ipinfo.count(false, err)
			e.queue.add(addr)
			pause = max(pause, delay(firstAskBackoff, failures, err))
			if log.isNew(err) {
				e.logger.Warn("Asking IPinfo failed, names wait until it answers", "err", err)
			}
		}
		if !backoff.Sleep(ctx, pause) {
			return
		}
	}
}

// askIPInfo sends one request. An address that IPinfo knows nothing of is an answer too.
func (e *Enricher) askIPInfo(ctx context.Context, config IPInfoConfig, token Secret, addr netip.Addr) (remoteAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.URL+addr.String(), http.NoBody)
	if err != nil {
		return remoteAnswer{}, fmt.Errorf("ask IPinfo: %w", err)
	}
	// In a header, since URLs end up in messages and in the logs of proxies.
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", userAgent)
	client := *e.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // The token goes nowhere else.
	response, err := client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // Without the address, so that the same outage is the same message.
		}
		return remoteAnswer{}, fmt.Errorf("ask IPinfo: %w", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return readReply(response, config, addr)
	case http.StatusNotFound:
		return newRemoteAnswer(config, Info{}), nil
	default:
		return remoteAnswer{}, fmt.Errorf("ask IPinfo: %w", newStatusError(response))
	}
}

func readReply(response *http.Response, config IPInfoConfig, addr netip.Addr) (remoteAnswer, error) {
	data, err := readBody(response, maxReplyBytes)
	if err != nil {
		return remoteAnswer{}, fmt.Errorf("ask IPinfo: %w", err)
	}
	var reply ipinfoReply
	if err := json.Unmarshal(data, &reply); err != nil {
		return remoteAnswer{}, fmt.Errorf("decode answer of IPinfo: %w", err)
	}
	// A page of a captive portal may be JSON as well.
	if got, err := netip.ParseAddr(reply.IP); err != nil || got.Unmap() != addr {
		return remoteAnswer{}, fmt.Errorf("decode answer of IPinfo: got one about %q, want %s", clip(reply.IP), addr)
	}
	info := Info{ASN: parseASN(strings.TrimSpace(reply.ASN)), Country: countryLabel(reply.CountryCode)}
	if info.ASN != "" {
		info.ASName = nameLabel(reply.ASName)
	}
	if reply.Bogon {
		info = Info{}
	}
	return newRemoteAnswer(config, info), nil
}

func newRemoteAnswer(config IPInfoConfig, info Info) remoteAnswer {
	goodFor := config.FoundFor
	if info == (Info{}) {
		goodFor = config.NotFoundFor
	}
	return remoteAnswer{asked: true, until: time.Now().Add(goodFor), info: info}
}

func isRefused(err error) bool {
	status, ok := errors.AsType[*statusError](err)
	return ok && (status.status == http.StatusUnauthorized || status.status == http.StatusForbidden)
}

// refuse stops using a token. Answers become final without IPinfo, since waiting would not help.
func (e *Enricher) refuse(token Secret) {
	e.mu.Lock()
	e.refused = refusal{token, time.Now().Add(refusedFor)}
	e.mu.Unlock()
	e.update(func(s *sources) {
		if s.token == token {
			s.token = ""
		}
	})
}

// usable returns the token, or nothing while it is refused. It needs the lock.
func (e *Enricher) usable(token Secret) Secret {
	if token == e.refused.token && time.Now().Before(e.refused.until) {
		return ""
	}
	return token
}

// onceLog lets the first of equal complaints pass. The zero value is ready to use; it is not safe for concurrent use.
type onceLog struct{ last string }

func (l *onceLog) isNew(err error) bool {
	text := err.Error()
	if text == l.last {
		return false
	}
	l.last = text
	return true
}

func (l *onceLog) recovered() { l.last = "" }
