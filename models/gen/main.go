// Gen makes the ONNX files of package models, in the folder it is run in:
//
//	go run ./gen                      both files (what go generate does)
//	go run ./gen -sheet rough >a.png  a page of digits of one style, to look at
//
// Both files follow from the code alone. They come out the same each time, byte
// for byte, on processors that the kernels use the same instructions of.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	style := flag.String("sheet", "", "write a picture of digits of this `style`, clean or rough, and no model")
	flag.Parse()
	err := run(*style)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(style string) error {
	if style != "" {
		return sheet(os.Stdout, style)
	}
	line, err := thermometer()
	if err != nil {
		return err
	}
	if err := os.WriteFile("thermometer.onnx", line, 0o644); err != nil {
		return err
	}
	network, err := digits(1)
	if err != nil {
		return err
	}
	if network, err = pretrain(network); err != nil {
		return err
	}
	return os.WriteFile("digits.onnx", network, 0o644)
}
