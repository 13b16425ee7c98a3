package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
)

// A pageWriter notices whether a page could not be served as a whole.
type pageWriter struct {
	http.ResponseWriter
	failed bool
}

// WriteHeader implements http.ResponseWriter.
func (w *pageWriter) WriteHeader(status int) {
	w.failed = w.failed || status != http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *pageWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.failed = w.failed || err != nil
	return n, err
}

// A scrapeWatch knows how many committed files have been scraped. What is committed after the last scrape of a process is lost to Prometheus.
type scrapeWatch struct {
	mu      sync.Mutex
	files   uint64
	changed chan struct{}
}

// saw records that a scrape has shown at least so many files.
func (w *scrapeWatch) saw(files uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = max(w.files, files)
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// state returns the number of files scraped, and a channel that the next scrape closes.
func (w *scrapeWatch) state() (uint64, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.files, w.changed
}

// wait returns when a scrape has shown all files, or when ctx ends.
func (w *scrapeWatch) wait(ctx context.Context, files uint64, logger *slog.Logger) {
	seen, changed := w.state()
	if seen >= files {
		return
	}
	logger.Info("Waiting for a last scrape", "unscraped_files", files-seen)
	for seen < files {
		select {
		case <-changed:
		case <-ctx.Done():
			logger.Warn("Unscraped totals are lost to Prometheus", "unscraped_files", files-seen)
			return
		}
		seen, changed = w.state()
	}
}
