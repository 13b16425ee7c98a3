package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// shownFunctions is how many functions of a profile are shown.
const shownFunctions = 12

// A profile is where the CPU's time went, in percent.
type profile struct {
	Packages  []share `json:"packages"`
	Functions []share `json:"functions"` // Functions are those with the largest shares, each without what it calls.
}

type share struct {
	Name    string  `json:"name"`
	Percent float64 `json:"percent"`
}

// profile runs this exporter's reader on the first profile's files several times over, and asks pprof where the time went.
func (s *stand) profile(ctx context.Context, o options, r *report) error {
	d, err := s.generate(profiles(o)[0])
	if err != nil {
		return err
	}
	var files []string
	for range s.runs {
		files = append(files, d.paths[formGzip]...)
	}
	out := filepath.Join(s.dir, "cpu.prof")
	if _, err := s.count(ctx, s.cores.one, 1, d, files, "-cpuprofile="+out); err != nil {
		return err
	}
	pprof := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=10000", "-nodefraction=0", out)
	pprof.Dir = s.root
	text, err := output(pprof)
	if err != nil {
		return err
	}
	r.Profile, err = parseTop(text)
	return err
}

// parseTop reads the table of pprof -top, whose columns are flat, flat%, sum%, cum, cum% and the function, and adds up the packages.
func parseTop(text string) (profile, error) {
	var p profile
	packages := make(map[string]float64)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasSuffix(f[1], "%") {
			continue
		}
		percent, err := strconv.ParseFloat(strings.TrimSuffix(f[1], "%"), 64)
		if err != nil {
			return p, fmt.Errorf("read profile: %w", err)
		}
		name := f[5][strings.LastIndexByte(f[5], '/')+1:]
		pkg, _, _ := strings.Cut(name, ".")
		packages[pkg] += percent
		if len(p.Functions) < shownFunctions {
			p.Functions = append(p.Functions, share{name, percent})
		}
	}
	for pkg, percent := range packages {
		if percent >= 1 {
			p.Packages = append(p.Packages, share{pkg, percent})
		}
	}
	slices.SortFunc(p.Packages, func(a, b share) int { return int(100 * (b.Percent - a.Percent)) })
	return p, nil
}
