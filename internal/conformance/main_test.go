//go:build conformance

package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs of the servers. A test whose server is not named fails: what is not to run is not to be selected.
var (
	motoPython     = flag.String("moto", "", "Python `interpreter` that has moto's server installed")
	elasticMQFiles = flag.String("elasticmq", "", "`folder` with ElasticMQ's server and its libraries")
	versitygwFile  = flag.String("versitygw", "", "versitygw's `program`")
	prometheusFile = flag.String("prometheus", "", "Prometheus's `program`")
)

// binary is the daemon's program, as TestMain has built it.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := build(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// build builds the daemon, lets run use it, and removes it.
func build(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return 0, fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "vpcflow_exporter")
	command := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", binary, "../../cmd/vpcflow_exporter")
	if out, err := command.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build daemon: %w\n%s", err, out)
	}
	return run(), nil
}
