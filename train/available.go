package train

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// availableMemory is how much more memory this process can have, in bytes, without
// others having to give theirs up: what Linux says is available, and what the
// control groups that the process is in leave. Elsewhere it is not known.
func availableMemory() (int64, bool) {
	left, known := availableOnMachine(readText("/proc/meminfo"))
	for line := range strings.Lines(readText("/proc/self/cgroup")) {
		// Version 2 has one hierarchy, "0::/a/b"; version 1 one per resource,
		// "4:memory:/a/b".
		number, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		root, limit, used, cache := "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
		switch {
		case controllers == "memory":
			root, limit, used, cache = "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		case number != "0" || controllers != "":
			continue
		}
		for ; ; group = path.Dir(group) {
			dir := path.Join(root, group)
			if n, ok := availableInGroup(readText(path.Join(dir, limit)), readText(path.Join(dir, used)), readText(path.Join(dir, "memory.stat")), cache); ok && (!known || n < left) {
				left, known = n, true
			}
			if len(group) < 2 {
				break
			}
		}
	}
	return left, known
}

// readText is a file of the kernel, empty if it is not there.
func readText(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(b)
}

// availableOnMachine reads /proc/meminfo, in which sizes are in KiB.
func availableOnMachine(meminfo string) (int64, bool) {
	n, ok := field(meminfo, "MemAvailable:")
	swap, _ := field(meminfo, "SwapFree:")
	return (n + swap) << 10, ok
}

// availableInGroup is a limit less what is used, not counting files that are only
// kept for their next reader.
func availableInGroup(limit, used, stat, cache string) (int64, bool) {
	most, err := strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	if err != nil || most > math.MaxInt64/2 { // "max", or what version 1 says for it
		return 0, false
	}
	now, err := strconv.ParseInt(strings.TrimSpace(used), 10, 64)
	if err != nil {
		return 0, false
	}
	files, _ := field(stat, cache)
	return max(0, most-now+files), true
}

// field is the number behind a name in a list of lines.
func field(text, name string) (int64, bool) {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
