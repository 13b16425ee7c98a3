package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const formatsDoc = "docs/formats.md"

// TestOneRecommendedFormat holds all copies of the recommended format to the one in package doctor.
func TestOneRecommendedFormat(t *testing.T) {
	names := strings.Fields(doctor.Recommended)
	if !slices.Equal(flowgen.RecommendedFields(), names) {
		t.Errorf("flowgen recommends %q, package doctor %q", flowgen.RecommendedFields(), names)
	}
	logFormats := regexp.MustCompile(`\$\{version\}[^'\n]*\}`)
	for document, copies := range map[string]int{"README.md": 1, formatsDoc: 1} {
		found := logFormats.FindAllString(readFile(t, document), -1)
		if len(found) != copies {
			t.Errorf("%s has %d log formats, want %d", document, len(found), copies)
		}
		for _, format := range found {
			if format != doctor.LogFormat(names) {
				t.Errorf("%s recommends\n%s\nwant\n%s", document, format, doctor.LogFormat(names))
			}
		}
	}
}

// examine runs the command.
func examine(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	code = run(t.Context(), args, make(chan os.Signal), &out, &log)
	return code, out.String(), log.String()
}

// TestDoctor examines files, header lines and log formats.
func TestDoctor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	v2 := strings.Join(defaultFields, " ")
	named := write("named.yaml", []byte("sqs: {queue_url: 'https://sqs.eu-west-3.amazonaws.com/123456789012/q'}\nflow_logs: {nat_gateways: [{eni: eni-0a1b2c3d}]}\n"))
	cases := []struct {
		name, argument, config string
		code                   int
		stdout, stderr         string
	}{
		{"gzip file", write("a.log.gz", natFile(1, 2)), "", 0, "All 4 data lines", ""},
		{"text file", write("name with spaces.log", natText(1, 2)), "", 0, "All 4 data lines", ""},
		{"header line", natHeader, "", 0, "NAT bytes can be exact", ""},
		{"recommended log format", doctor.LogFormat(strings.Fields(doctor.Recommended)), "", 0, "NAT bytes can be exact.\n", ""},
		{"default format", v2, "", 1, "NAT bytes cannot be exact.", ""},
		{"default format, gateways named", v2, named, 0, "under conditions", ""},
		{"headerless file", write("b.log", []byte(v2Line+"\n")), "", 1, "flow_logs.format", ""},
		{"no such file", filepath.Join(folder, "c.log"), "", 1, "", "no such file or directory (a header line has several fields"},
		{"no such configuration", v2, filepath.Join(folder, "c.yaml"), 1, "", "c.yaml"},
		{"unsupported format", "version srcaddr dstaddr", "", 1, "", "--log-format '${version}"},
		{"one field", "${version}", "", 1, "", "--log-format '${version}"},
		{"transit gateway", "version resource-type account-id tgw-id", "", 1, "", "flow log of a transit gateway"},
		{"damaged behind the header", write("d.log.gz", natFile(1, 2)[:190]), "", 1, "under conditions", "cut short"},
		{"empty file", write("e.log.gz", nil), "", 1, "", "no lines"},
		{"folder", folder, "", 1, "", "is a directory"},
		{"not an object", "s3://bucket", "", 1, "", "an object is s3://bucket/key"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--flowlogs.doctor=" + c.argument}
			if c.config != "" {
				args = append(args, "--config.file="+c.config)
			}
			code, stdout, stderr := examine(t, args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("got exit code %d, want %d, output\n%s\nwant %q, errors\n%s\nwant %q", code, c.code, stdout, c.stdout, stderr, c.stderr)
			}
			if (stderr == "") != (c.stderr == "") || (stdout == "") != (c.stdout == "") {
				t.Errorf("got output %q, errors %q", stdout, stderr)
			}
			jsonCode, document, _ := examine(t, append(args, "--flowlogs.format=json")...)
			var report doctor.Report
			if jsonCode != c.code || stdout != "" && (json.Unmarshal([]byte(document), &report) != nil || report.Source != c.argument) {
				t.Errorf("got exit code %d and document %s", jsonCode, document)
			}
		})
	}
}

// TestDoctorReadsObjects examines an object by the environment's endpoint and credentials, in one request.
func TestDoctorReadsObjects(t *testing.T) {
	s := newStand(t, 0)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": s.cloud.S3URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": testRegion, "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
	} {
		t.Setenv(name, value)
	}
	key := "our logs/100% of 1+1/" + logKey("aaaa")
	s.put(key, natFile(1, 2))
	code, stdout, stderr := examine(t, "--flowlogs.doctor=s3://"+testBucket+"/"+key)
	if code != exitOK || !strings.Contains(stdout, "All 4 data lines") || stderr != "" || s.cloud.S3.Requests("GetObject") != 1 {
		t.Errorf("got exit code %d, %d requests, output\n%s\n%s", code, s.cloud.S3.Requests("GetObject"), stdout, stderr)
	}
	if code, stdout, stderr := examine(t, "--flowlogs.doctor=s3://"+testBucket+"/nothing.log.gz"); code != exitFailure || stdout != "" || !strings.Contains(stderr, "object does not exist") {
		t.Errorf("missing object: got exit code %d, output\n%s\n%s", code, stdout, stderr)
	}
	s.cloud.S3.SetHook(failing("", awstest.S3Error(http.StatusForbidden, "AccessDenied")))
	if code, _, stderr := examine(t, "--flowlogs.doctor=s3://"+testBucket+"/"+key); code != exitFailure || !strings.Contains(stderr, "s3:GetObject") {
		t.Errorf("denied: got exit code %d, %s", code, stderr)
	}
}

// formatsBlock finds what the tests generate in docs/formats.md.
var formatsBlock = regexp.MustCompile(`(?s)<!-- (effects|output: [a-z0-9-]+) -->\n(.*?)<!-- end -->`)

// TestFormatsDocument holds docs/formats.md against what the command prints and what package doctor knows of fields. Refresh it with:
// go test ./cmd/vpcflow_exporter -run TestFormatsDocument -update.
func TestFormatsDocument(t *testing.T) {
	t.Parallel()
	document := readFile(t, formatsDoc)
	blocks := 0
	page := formatsBlock.ReplaceAllStringFunc(document, func(block string) string {
		blocks++
		m := formatsBlock.FindStringSubmatch(block)
		want := effectsTable()
		if name, isOutput := strings.CutPrefix(m[1], "output: "); isOutput {
			want = doctorOutput(t, countingFolder+"/"+name+".log")
		}
		if m[2] != want && !*update {
			t.Errorf("%s: %s has drifted:\n%s", formatsDoc, m[1], strings.Join(lineDiff(m[2], want), "\n"))
		}
		return fmt.Sprintf("<!-- %s -->\n%s<!-- end -->", m[1], want)
	})
	if blocks != 2 {
		t.Errorf("%s has %d generated blocks, want 2", formatsDoc, blocks)
	}
	if *update && page != document {
		if err := os.WriteFile(filepath.Join(repositoryRoot, filepath.FromSlash(formatsDoc)), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// doctorOutput is what the command prints for a file of the repository.
func doctorOutput(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(filepath.Join(repositoryRoot, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	d, sample, err := doctor.Read(file, flowlog.Config{}, doctor.Options{})
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := (doctor.Report{Source: name, Diagnosis: d, Sample: &sample}).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return "```\n$ vpcflow_exporter --flowlogs.doctor=" + name + "\n" + b.String() + "```\n"
}

// effectsTable is the table of what each field is for.
func effectsTable() string {
	var b strings.Builder
	b.WriteString("| without | bytes | where | off | effect |\n|---|---|---|---|---|\n")
	for _, e := range doctor.Effects() {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", strings.Join(e.Without, "`, `"), e.Bytes, e.When, e.Off, e.Effect)
	}
	return b.String()
}
