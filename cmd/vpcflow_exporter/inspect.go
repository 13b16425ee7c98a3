package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/state"
)

// inspectState prints what a state file holds. It needs no queue and no AWS, and changes nothing.
func inspectState(f flags, stdout, stderr io.Writer) int {
	if err := runInspect(f, stdout); err != nil {
		fmt.Fprintf(stderr, "vpcflow_exporter: %v\n", err)
		if errors.Is(err, state.ErrLocked) {
			fmt.Fprintln(stderr, "To look into a state that is in use, copy its file to a folder of its own and name that as state.path.")
		}
		return exitFailure
	}
	return exitOK
}

func runInspect(f flags, stdout io.Writer) (err error) {
	config, err := LoadConfig(f.configFile, LoadOptions{LookupEnv: os.LookupEnv})
	if err != nil {
		return err
	}
	if config.State.Path == "" {
		return fmt.Errorf("inspect state: %s sets no state.path", f.configFile)
	}
	s, err := state.OpenReadOnly(config.State.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	contents, err := aggregator.Inspect(s)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d bytes, schema version %d, undamaged\n", s.Path(), s.Size(), aggregator.SchemaVersion)
	writeContents(stdout, contents)
	return nil
}

func writeContents(w io.Writer, c aggregator.Contents) {
	s := c.Snapshot
	var records uint64
	for _, counts := range s.Dispositions {
		records += counts.Records
	}
	fmt.Fprintf(w, "\nCounting since %s: %d files, %d data lines decided\n", timestamp(s.Started), s.CommittedFiles, records)
	fmt.Fprintf(w, "Series were created from %s to %s\n", timestamp(c.Oldest), timestamp(c.Newest))
	for _, m := range c.Series {
		fmt.Fprintf(w, "  %7d %s\n", m.Series, m.Metric)
	}
	fmt.Fprintf(w, "\nInterfaces known: %d. Clients of NAT gateways: %d entries\n", c.Interfaces, c.Clients)
	fmt.Fprintf(w, "Interfaces that wait for a decision: %d, with %d data lines in %d sums\n", c.Waiting, s.Held.Records, c.HeldKeys)
	writeGateways(w, s.Gateways)
	writeDecided(w, s)
	writeKnownFiles(w, c.FilesByDay)
}

func writeGateways(w io.Writer, gateways []aggregator.GatewayInfo) {
	fmt.Fprintf(w, "\nNAT gateways: %d\n", len(gateways))
	slices.SortFunc(gateways, func(a, b aggregator.GatewayInfo) int {
		return slices.Compare([]string{a.AccountID, a.Region, a.NATGateway}, []string{b.AccountID, b.Region, b.NATGateway})
	})
	for _, g := range gateways {
		fmt.Fprintf(w, "  %s %s %s %s, recognised by %s, seen from %s to %s\n", g.AccountID, g.Region, g.NATGateway, g.Kind, g.RecognisedBy,
			timestamp(time.Unix(g.FirstSeen, 0)), timestamp(time.Unix(g.LastSeen, 0)))
	}
}

func writeDecided(w io.Writer, s *aggregator.Snapshot) {
	fmt.Fprintf(w, "\nData lines by disposition\n")
	for d, c := range s.Dispositions {
		if c.Records > 0 {
			fmt.Fprintf(w, "  %12d %s\n", c.Records, classifier.Disposition(d))
		}
	}
}

func writeKnownFiles(w io.Writer, days map[string]int) {
	files := 0
	for _, n := range days {
		files += n
	}
	fmt.Fprintf(w, "\nFiles that would be known as duplicates: %d\n", files)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		fmt.Fprintf(w, "  %s %7d\n", day, days[day])
	}
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
