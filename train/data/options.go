package data

import "errors"

// Options say how to read a dataset where the files leave a choice. The zero
// value takes everything as it is found.
type Options struct {
	// Split is the half of a dataset that comes in two: "train", the default, or
	// "test". Open fails with ErrNoSplit if "test" is wanted and there is none.
	Split string

	// Size is the height and width that the images of a folder are scaled to.
	// Zero takes the size of the first image; all others must have it too.
	Size [2]int
	// Channels of a folder's images: 1 for grey, 3 for red, green and blue. Zero
	// takes what the first image has.
	Channels int

	// Label is what to learn. In a table it is a column by its name or its
	// number (from 0, negative from the end), or several, separated by commas,
	// for regression; the default is the last. In an .npz file it is an array;
	// the default is the one called labels, label, targets, target or y.
	Label string
	// Labels is the file with the labels of an idx or .npy file. The default is
	// the file beside it that is named alike: labels for images, y for x.
	Labels string
	// Drop lists columns of a table that are neither input nor target, by name
	// or number, such as a row's identity.
	Drop []string
	// Inputs are the arrays of an .npz file to feed, in order. The default is
	// every array but the target, by name.
	Inputs []string

	// Classes are the names of the classes in the order of the model's outputs.
	// The default is the names that are found, sorted, so a dataset that lacks
	// one numbers the rest differently; give Classes where that may happen.
	// Labels that are whole numbers need no names: they are the classes.
	Classes []string
	// LabelBase is the number of the first class where labels are numbers, often
	// 0 (the default) or 1.
	LabelBase int
	// Regression takes whole numbers for values to approach, not for classes.
	Regression bool
}

// Like returns options that read targets as in a dataset that was read before,
// with target t: numbers stay numbers if they happen to be whole, and classes
// keep their place if one does not occur. Use it for validation data that lies
// apart from the training data.
func (o Options) Like(t Target) Options {
	if !t.Labels {
		o.Regression = true
	}
	if len(o.Classes) == 0 {
		o.Classes = t.Names
	}
	return o
}

// ErrNoSplit is the error, wrapped, of Open for a split that the dataset does
// not have.
var ErrNoSplit = errors.New("no such split")
