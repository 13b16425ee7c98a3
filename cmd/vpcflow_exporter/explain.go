package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/vpcflow/vpcflow_exporter/collector/explain"
)

// explainFiles prints what each line of flow log files was taken for. Like everything that runs once it needs no queue, and no configuration either.
func explainFiles(f flags, stdout, stderr io.Writer) int {
	if err := runExplain(f, stdout); err != nil {
		fmt.Fprintf(stderr, "vpcflow_exporter: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func runExplain(f flags, stdout io.Writer) error {
	s, err := optionalStages(f)
	if err != nil {
		return err
	}
	var files []explain.File
	for _, name := range f.explain {
		data, err := readFileOrStdin(name)
		if err != nil {
			return err
		}
		files = append(files, explain.File{Name: name, Data: data})
	}
	writer := explain.NewText(stdout)
	if f.outputFormat == "json" {
		writer = explain.NewJSON(stdout)
	}
	return explain.Explain(explainConfig(s), files, writer)
}

// explainConfig makes an explanation count as the daemon would.
func explainConfig(s stages) explain.Config {
	return explain.Config{Aggregator: s.aggregator, Networks: s.pipeline.Networks, FlowLog: s.pipeline.FlowLog, DeltaKeys: s.pipeline.DeltaKeys}
}

// optionalStages translates the configuration file, or the defaults if there is no file under the default name.
func optionalStages(f flags) (stages, error) {
	config, err := LoadConfig(f.configFile, LoadOptions{LookupEnv: os.LookupEnv})
	if f.configFile == defaultConfigFile && errors.Is(err, fs.ErrNotExist) {
		return newStages(DefaultConfig())
	}
	if err != nil {
		return stages{}, err
	}
	return newStages(config)
}

func readFileOrStdin(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
