package enrich

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// maxTokenBytes bounds a token's file.
const maxTokenBytes = 4096

// A refresher keeps the sources up to date. Only the goroutine of Run uses it.
type refresher struct {
	e         *Enricher
	config    Config
	nextPoll  time.Time
	databases map[string]*databaseFile // By path.
	ranges    *rangesSource
	token     tokenFile
}

// databaseFile is an MMDB file and what was last read from it.
type databaseFile struct {
	file    watchedFile
	current *database
	log     onceLog
}

// tokenFile is the file of the token and what was last read from it.
type tokenFile struct {
	file    watchedFile
	current Secret
	log     onceLog
}

// refresh reads what is new until ctx ends.
func (e *Enricher) refresh(ctx context.Context) {
	r := &refresher{e: e, databases: make(map[string]*databaseFile), ranges: &rangesSource{}}
	for ctx.Err() == nil {
		r.configure(e.configuration())
		wait := r.round(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-e.wake:
			timer.Stop()
			r.nextPoll = time.Time{}
		}
	}
}

// configure keeps what was read of the sources that stay.
func (r *refresher) configure(config Config) {
	r.config = config
	maps.DeleteFunc(r.databases, func(path string, _ *databaseFile) bool { return !slices.Contains(config.MMDB, path) })
	for _, path := range config.MMDB {
		if r.databases[path] == nil {
			r.databases[path] = &databaseFile{file: watchedFile{path: path, limit: maxDatabaseBytes}}
		}
	}
	if r.token.file.path != config.IPInfo.TokenFile {
		r.token = tokenFile{file: watchedFile{path: config.IPInfo.TokenFile, limit: maxTokenBytes}}
	}
	r.ranges.configure(config)
}

// round reads what is due, and returns how long there is nothing to do. Files come first, so that their names do not wait for a server.
func (r *refresher) round(ctx context.Context) time.Duration {
	if now := time.Now(); !now.Before(r.nextPoll) {
		r.nextPoll = now.Add(r.config.PollInterval)
		for i, path := range r.config.MMDB {
			r.pollDatabase(i, r.databases[path])
		}
		r.pollToken()
		r.ranges.poll(r.e)
		r.publish()
	}
	if r.ranges.due() {
		r.ranges.fetch(ctx, r.e)
		r.publish()
	}
	next := r.nextPoll
	if r.ranges.isURL() && r.ranges.next.Before(next) {
		next = r.ranges.next
	}
	return time.Until(next)
}

// publish replaces the sources if any has changed.
func (r *refresher) publish() {
	var databases []*database
	for _, path := range r.config.MMDB {
		if d := r.databases[path].current; d != nil {
			databases = append(databases, d)
		}
	}
	token := r.currentToken()
	r.e.update(func(s *sources) {
		s.ranges, s.databases, s.token = r.ranges.current, databases, r.e.usable(token)
		s.tried = s.tried || r.ranges.tried() // A source that is added later does not take answers back.
	})
}

func (r *refresher) currentToken() Secret {
	if r.config.IPInfo.TokenFile != "" {
		return r.token.current
	}
	return r.config.IPInfo.Token
}

func (r *refresher) pollDatabase(i int, d *databaseFile) {
	key := fmt.Sprintf("enrichment.mmdb[%d]", i)
	data, err := d.file.poll()
	if err == nil && data == nil {
		return
	}
	var opened *database
	if err == nil {
		opened, err = openDatabase(data)
	}
	if err != nil {
		if d.log.isNew(err) {
			r.e.logger.Error("Refused database, the last good one stays in use", "key", key, "file", d.file.path, "loaded", d.current != nil, "err", err)
			r.e.metrics.mmdb.count(false, err)
		}
		return
	}
	d.log.recovered()
	d.current = opened
	r.e.logger.Info("Loaded database", "key", key, "file", d.file.path, "type", clip(opened.kind()), "built", opened.reader.Metadata.BuildTime().UTC(), "bytes", len(data))
}

func (r *refresher) pollToken() {
	t := &r.token
	if t.file.path == "" {
		return
	}
	data, err := t.file.poll()
	if err == nil && data == nil {
		return
	}
	var token Secret
	if err == nil {
		token, err = ParseToken(string(data))
	}
	if err != nil {
		if t.log.isNew(err) {
			r.e.logger.Error("Refused token file, IPinfo is asked with the last good token or not at all",
				"key", "enrichment.ipinfo_token_file", "file", t.file.path, "loaded", t.current != "", "err", err)
			r.e.metrics.ipinfo.count(false, err)
		}
		return
	}
	t.log.recovered()
	t.current = token
	r.e.logger.Info("Loaded token", "key", "enrichment.ipinfo_token_file", "file", t.file.path)
}
