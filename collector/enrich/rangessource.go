package enrich

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	rangesTimeout      = time.Minute     // For one request.
	firstRangesBackoff = 5 * time.Second // After the first failure.
	// After so many failures answers are final without the ranges: a host without a way out must not wait for ever.
	patience = 3
)

// A rangesSource keeps ip-ranges.json up to date, from a file or a URL. It is not safe for concurrent use.
type rangesSource struct {
	location string
	copyPath string
	interval time.Duration
	current  *Ranges
	failures int
	log      onceLog

	file watchedFile // Of the location if that is a path.

	next               time.Time // When the URL is asked again.
	copyRead           bool
	etag, lastModified string // Of the last good answer.
}

// configure keeps the ranges in use until the new location has given others.
func (s *rangesSource) configure(config Config) {
	s.interval = config.RangesInterval
	if s.location == config.IPRanges && s.copyPath == config.IPRangesCopy {
		return
	}
	*s = rangesSource{location: config.IPRanges, copyPath: config.IPRangesCopy, interval: config.RangesInterval, current: s.current}
	s.file = watchedFile{path: config.IPRanges, limit: maxRangesBytes}
	if s.location == "" {
		s.current = nil
	}
}

func (s *rangesSource) isURL() bool { return isURL(s.location) }

// tried says whether to wait no longer.
func (s *rangesSource) tried() bool {
	return s.location == "" || s.current != nil || s.failures >= patience || s.failures > 0 && !s.isURL()
}

// poll reads the file, or the copy of a former run while the URL has not answered yet.
func (s *rangesSource) poll(e *Enricher) {
	switch {
	case s.location == "":
	case !s.isURL():
		data, err := s.file.poll()
		if err == nil && data == nil {
			return
		}
		s.take(e, data, err)
	case s.copyPath != "" && !s.copyRead:
		s.copyRead = true
		s.readCopy(e)
	}
}

func (s *rangesSource) readCopy(e *Enricher) {
	data, _, err := readFile(s.copyPath, maxRangesBytes)
	if errors.Is(err, os.ErrNotExist) {
		return // The first start has none.
	}
	var ranges *Ranges
	if err == nil {
		ranges, err = ParseRanges(data)
	}
	if err != nil {
		e.logger.Warn("Refused the copy of ip-ranges.json of a former run", "file", s.copyPath, "err", err)
		return
	}
	s.current = ranges
	e.logger.Info("Loaded address ranges of AWS", "key", "enrichment.ip_ranges", "location", s.copyPath, "prefixes", ranges.prefixes, "sync_token", ranges.syncToken)
}

// take brings the ranges into use, or says why not, and returns whether it has.
func (s *rangesSource) take(e *Enricher, data []byte, err error) bool {
	var ranges *Ranges
	if err == nil {
		ranges, err = ParseRanges(data)
	}
	if err != nil {
		s.failures++
		e.metrics.ipRanges.count(false, err)
		if s.log.isNew(err) {
			e.logger.Error("Refused address ranges of AWS, the last good ones stay in use", "key", "enrichment.ip_ranges", "location", s.location, "loaded", s.current != nil, "err", err)
		}
		return false
	}
	s.failures = 0
	s.log.recovered()
	s.current = ranges
	e.logger.Info("Loaded address ranges of AWS", "key", "enrichment.ip_ranges", "location", s.location, "prefixes", ranges.prefixes, "sync_token", ranges.syncToken)
	return true
}

// due says whether to ask the URL.
func (s *rangesSource) due() bool { return s.isURL() && !time.Now().Before(s.next) }

// fetch asks the URL for what is newer than the last good answer.
func (s *rangesSource) fetch(ctx context.Context, e *Enricher) {
	data, header, err := s.get(ctx, e.client)
	switch {
	case ctx.Err() != nil:
		return
	case err == nil && data == nil:
		s.failures = 0
		s.log.recovered()
	case s.take(e, data, err):
		s.etag, s.lastModified = header.Get("ETag"), header.Get("Last-Modified")
		s.writeCopy(e, data)
	}
	wait := s.interval - s.interval/10 + rand.N(s.interval/5+1) // Spread, so that a fleet that started together does not ask together.
	if s.failures > 0 {
		wait = min(wait, delay(firstRangesBackoff, s.failures, err))
	}
	s.next = time.Now().Add(wait)
}

// get returns the body and the header, or nothing if the last good answer still holds.
func (s *rangesSource) get(ctx context.Context, client *http.Client) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, rangesTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.location, http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch ip-ranges: %w", err)
	}
	request.Header.Set("User-Agent", userAgent)
	if s.etag != "" {
		request.Header.Set("If-None-Match", s.etag)
	} else if s.lastModified != "" {
		request.Header.Set("If-Modified-Since", s.lastModified)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch ip-ranges: %w", err)
	}
	defer response.Body.Close()
	conditional := s.etag != "" || s.lastModified != ""
	switch {
	case response.StatusCode == http.StatusNotModified && conditional:
		return nil, nil, nil
	case response.StatusCode != http.StatusOK:
		return nil, nil, fmt.Errorf("fetch ip-ranges: %w", newStatusError(response))
	}
	data, err := readBody(response, maxRangesBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch ip-ranges: %w", err)
	}
	return data, response.Header, nil
}

// writeCopy keeps a good file for the next start. Whoever reads it sees all of it or the one before.
func (s *rangesSource) writeCopy(e *Enricher, data []byte) {
	if s.copyPath == "" {
		return
	}
	if err := replaceFile(s.copyPath, data); err != nil {
		e.logger.Warn("Keeping a copy of ip-ranges.json failed", "file", s.copyPath, "err", err)
	}
}

func replaceFile(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".ip-ranges-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
