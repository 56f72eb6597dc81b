package export

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// MetadataPrefix begins the keys of what is written to a model's metadata_props.
const MetadataPrefix = "finetune."

const modelMetadata = 14

// metadataEdits drops the entries that an earlier run has left and appends new
// ones, sorted by key.
func metadataEdits(file []byte, root *message, entries map[string]string) []edit {
	var edits []edit
	for _, m := range ourMetadata(file, root) {
		edits = append(edits, edit{in: root, start: m.tag, end: m.end})
	}
	var with []byte
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		var entry []byte
		entry = protowire.AppendTag(entry, 1, protowire.BytesType)
		entry = protowire.AppendString(entry, strings.ToValidUTF8(MetadataPrefix+key, "\uFFFD"))
		entry = protowire.AppendTag(entry, 2, protowire.BytesType)
		entry = protowire.AppendString(entry, strings.ToValidUTF8(entries[key], "\uFFFD"))
		with = protowire.AppendTag(with, modelMetadata, protowire.BytesType)
		with = protowire.AppendBytes(with, entry)
	}
	return append(edits, edit{root, len(file), len(file), with})
}

// ourMetadata are the entries with our prefix.
func ourMetadata(file []byte, root *message) []*message {
	var ours []*message
	for _, m := range all(modelMetadata, root) {
		if strings.HasPrefix(m.text(file, 1), MetadataPrefix) {
			ours = append(ours, m)
		}
	}
	return ours
}
