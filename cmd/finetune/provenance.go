package main

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"finetune/export"
	"finetune/onnxload"
)

// notTold are flags that have no bearing on the model that is written.
var notTold = map[string]bool{
	"output-file": true, "force": true, "json": true, "quiet": true, "threads": true,
	"checkpoint": true, "checkpoint-every": true, "resume": true, "profile": true,
	"recipe": true, // what it says counts as flags
}

// places are flags that say where something is.
var places = map[string]bool{"data": true, "val-data": true, "labels": true}

// provenance is what a written model says of how it was made. Nothing in it
// depends on the time or the machine: the same run gives the same file. Paths are
// cut down to their last element, for they are nobody else's business.
func provenance(m *onnxload.Model, flags *pflag.FlagSet) map[string]string {
	sum := sha256.Sum256(m.Bytes)
	var given []string
	flags.VisitAll(func(f *pflag.Flag) { // in one order, wherever they come from
		if notTold[f.Name] || !f.Changed {
			return
		}
		for _, v := range flagTexts(f) {
			if places[f.Name] {
				v = filepath.Base(v)
			}
			given = append(given, fmt.Sprintf("--%s %s", f.Name, v))
		}
	})
	return map[string]string{
		"version":     version,
		"verb":        flags.Name(),
		"flags":       strings.Join(given, " "),
		"base_sha256": hex.EncodeToString(sum[:]),
	}
}

// classesKey is where a written model has the names of its classes, in the order
// of its outputs, as one line of CSV.
const classesKey = "classes"

// trainedClasses are the names of the classes that finetune trained m on, if it
// did and there were any.
func trainedClasses(m *onnxload.Model) []string {
	for _, p := range m.Proto.MetadataProps {
		if p.GetKey() == export.MetadataPrefix+classesKey {
			names, err := csv.NewReader(strings.NewReader(p.GetValue())).Read()
			if err == nil {
				return names
			}
		}
	}
	return nil
}

// classesLine is the value of classesKey.
func classesLine(names []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(names) // a strings.Builder takes all
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
