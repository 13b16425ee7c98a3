package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A workshop is where data is made and peers are built.
type workshop struct {
	root     string // root is the root of the module.
	dir      string
	progress io.Writer
}

func moduleRoot(ctx context.Context) (string, error) {
	mod, err := output(exec.CommandContext(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return "", err
	}
	if mod == "" || mod == os.DevNull {
		return "", errors.New("find the module: start bench inside the repository")
	}
	return filepath.Dir(mod), nil
}

// output runs a command and returns what it printed, without the space around it. The error holds the last line that the command complained with.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %s: %w%s", filepath.Base(cmd.Path), err, complaint(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// complaint is the line of a program's complaints that tells the most: the first one that says error, or else the last one.
func complaint(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	chosen := lines[len(lines)-1]
	for _, line := range lines {
		if strings.Contains(strings.ToLower(line), "error") {
			chosen = line
			break
		}
	}
	if chosen = strings.TrimSpace(chosen); chosen == "" {
		return ""
	}
	return ": " + address.ReplaceAllString(chosen, "...")
}

// address matches where a program wanted to go, which is of its machine and not for a document.
var address = regexp.MustCompile(`\w+://\S*`)

// releaseProfile guides the compiler of the exporter, and so of what measures it.
const releaseProfile = "cmd/vpcflow_exporter/default.pgo"

// build builds a Go program of this repository, without C unless there are tags, and returns its path.
func (w *workshop) build(ctx context.Context, name, pkg, tags string) (string, error) {
	path := filepath.Join(w.dir, "bin", name)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-pgo="+filepath.Join(w.root, releaseProfile), "-tags="+tags, "-o", path, pkg)
	cmd.Dir = w.root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED="+map[bool]string{true: "0", false: "1"}[tags == ""])
	_, err := output(cmd)
	return path, err
}

// stage copies the files of a foreign peer to a folder of its own, where its package manager may leave what it likes, and returns that folder.
func (w *workshop) stage(name string, files ...string) (string, error) {
	dir := filepath.Join(w.dir, name)
	for _, file := range files {
		b, err := os.ReadFile(filepath.Join(w.root, "bench", name, file))
		if err != nil {
			return "", fmt.Errorf("stage %s: %w", name, err)
		}
		target := filepath.Join(dir, file)
		if old, err := os.ReadFile(target); err == nil && bytes.Equal(old, b) {
			continue // A newer time would have it built again.
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", fmt.Errorf("stage %s: %w", name, err)
		}
		if err := os.WriteFile(target, b, 0o644); err != nil {
			return "", fmt.Errorf("stage %s: %w", name, err)
		}
	}
	return dir, nil
}

// once runs commands in a folder unless they have already been run there for the same manifest.
func (w *workshop) once(ctx context.Context, dir, manifest string, commands ...[]string) error {
	want, err := os.ReadFile(filepath.Join(dir, manifest))
	if err != nil {
		return err
	}
	stamp := filepath.Join(dir, ".installed")
	if got, err := os.ReadFile(stamp); err == nil && bytes.Equal(got, want) {
		return nil
	}
	for _, command := range commands {
		if _, err := exec.LookPath(command[0]); err != nil && !filepath.IsAbs(command[0]) {
			return err
		}
		fmt.Fprintf(w.progress, ">> %s\n", strings.Join(command, " "))
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = dir
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return os.WriteFile(stamp, want, 0o644)
}
