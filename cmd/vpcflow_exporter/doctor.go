package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/prometheus/common/promslog"

	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/pipeline"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// examineFormat prints what a flow log format allows. Its exit code says whether NAT bytes can be exact.
func examineFormat(ctx context.Context, f flags, stdout, stderr io.Writer) int {
	report, err := runDoctor(ctx, f)
	if report.Header != "" {
		err = errors.Join(err, writeReport(f, report, stdout))
	}
	if err != nil {
		fmt.Fprintf(stderr, "vpcflow_exporter: %v\n", err)
		if errors.Is(err, flowlog.ErrUnsupportedFormat) {
			fmt.Fprintf(stderr, "The recommended format is\n\n    --log-format '%s'\n", doctor.LogFormat(strings.Fields(doctor.Recommended)))
		}
		return exitFailure
	}
	if !report.CanBeExact() {
		return exitFailure
	}
	return exitOK
}

func writeReport(f flags, report doctor.Report, stdout io.Writer) error {
	if f.outputFormat == "json" {
		return report.WriteJSON(stdout)
	}
	return report.WriteText(stdout)
}

// runDoctor examines the format that the flag names. A report with a header comes with an error if the file is damaged behind it.
func runDoctor(ctx context.Context, f flags) (doctor.Report, error) {
	s, err := optionalStages(f)
	if err != nil {
		return doctor.Report{}, err
	}
	report := doctor.Report{Source: f.doctor}
	if header, ok := headerOf(f.doctor); ok {
		format, err := flowlog.ParseFormat(header)
		if err != nil {
			return report, fmt.Errorf("examine format: %w", err)
		}
		report.Diagnosis = doctor.Examine(format, s.pipeline.Doctor)
		return report, nil
	}
	source, err := openSource(ctx, f)
	if err != nil {
		return report, err
	}
	return examineFile(report, source, s.pipeline)
}

func examineFile(report doctor.Report, source io.ReadCloser, config pipeline.Config) (doctor.Report, error) {
	diagnosis, sample, err := doctor.Read(source, config.FlowLog, config.Doctor)
	// What is left of the source is not wanted, and neither is an error of its.
	_ = source.Close()
	report.Diagnosis, report.Sample = diagnosis, &sample
	if err != nil {
		err = fmt.Errorf("examine %q: %w", report.Source, err)
	}
	return report, err
}

// headerOf returns the argument if it is a header line or a log format, and no file.
func headerOf(argument string) (string, bool) {
	if argument == "-" || strings.HasPrefix(argument, s3Scheme) {
		return "", false
	}
	if _, err := os.Stat(argument); err == nil {
		return "", false
	}
	header := strings.TrimSpace(argument)
	return header, strings.Contains(header, "${") || len(strings.Fields(header)) > 1
}

const s3Scheme = "s3://"

// openSource opens a file, standard input, or an object in S3.
func openSource(ctx context.Context, f flags) (io.ReadCloser, error) {
	if f.doctor == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	path, isObject := strings.CutPrefix(f.doctor, s3Scheme)
	if !isObject {
		file, err := os.Open(f.doctor)
		if err != nil {
			return nil, fmt.Errorf("%w (a header line has several fields, an object begins with %s)", err, s3Scheme)
		}
		return file, nil
	}
	bucket, key, _ := strings.Cut(path, "/")
	if bucket == "" || key == "" {
		return nil, fmt.Errorf("open %q: an object is %sbucket/key", f.doctor, s3Scheme)
	}
	logger := promslog.New(f.log)
	cloud, err := loadAWS(ctx, logger)
	if err != nil {
		return nil, err
	}
	return objstore.NewS3(newStoreClient(cloud, ""), logger, objstore.DefaultConfig()).Open(ctx, s3event.Object{Bucket: bucket, Key: key})
}
