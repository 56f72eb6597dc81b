package protocol

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Step trains on the next batch, and returns the loss.
type Step func() (loss float64, err error)

// Peer is the whole process of another library: it prepares the job of the last
// argument, and then makes steps when it is told to. Only training of whole models
// is compared. What prepare or a step says or panics with is the last answer.
func Peer(version string, prepare func(Job) (Step, error)) {
	out := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // libraries print
	if err := serve(version, prepare, os.Stdin, out); err != nil {
		_ = out.Encode(Answer{Error: err.Error()})
		os.Exit(1)
	}
}

func serve(version string, prepare func(Job) (Step, error), in io.Reader, out *json.Encoder) (err error) {
	defer func() {
		if r := recover(); r != nil {
			first, _, _ := strings.Cut(fmt.Sprint(r), "\n")
			err = fmt.Errorf("%s", first)
		}
	}()
	var j Job
	if err := json.Unmarshal([]byte(os.Args[len(os.Args)-1]), &j); err != nil {
		return err
	}
	if j.Mode != "train" || j.Train != "" {
		return fmt.Errorf("only training of whole models is compared")
	}
	runtime.GOMAXPROCS(j.Threads)
	step, err := prepare(j)
	if err != nil {
		return err
	}
	_ = out.Encode(Answer{Version: version})
	for commands := bufio.NewScanner(in); commands.Scan(); {
		var a Answer
		if verb, number, _ := strings.Cut(commands.Text(), " "); verb == "run" {
			n, _ := strconv.Atoi(number)
			start := time.Now()
			for range n {
				loss, err := step()
				if err != nil {
					return err
				}
				a.Losses = append(a.Losses, loss)
			}
			a.Seconds = time.Since(start).Seconds()
			a.Losses = a.Losses[:min(n, FirstSteps)]
		} else {
			a.Megabytes = PeakMemory()
		}
		_ = out.Encode(a)
	}
	return nil
}
