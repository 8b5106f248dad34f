// Package keys is what an operator does with the keys of a store: which master
// key it has and how another takes its place, how an organization gets another
// data key, and how its keys are destroyed. See docs/design/0010-key-services.md.
package keys
