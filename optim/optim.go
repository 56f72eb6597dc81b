// Package optim selects, regularises, updates and prunes parameters.
package optim
