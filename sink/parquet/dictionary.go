package parquet

import "unsafe"

// keptNumbers is the largest map that the dictionary uses again: clearing a larger map takes longer than writing a small file.
const keptNumbers = 1 << 12

// A dictionary gives numbers to the different values of a column in a row group, in the order in which they come.
type dictionary struct {
	values  []string
	bytes   int // of all values in the dictionary
	numbers map[string]int32
	// recent has the last values, each by its place. A log has few different values, and equal ones use the same memory: comparing
	// the addresses takes less time than a look into the map.
	recent [1 << 10]struct {
		value  string
		number int32
	}
}

// clear removes all values.
func (d *dictionary) clear() {
	if d.numbers == nil || len(d.numbers) > keptNumbers {
		d.numbers = map[string]int32{}
	}
	clear(d.numbers)
	clear(d.values)
	clear(d.recent[:])
	d.values, d.bytes = d.values[:0], 0
}

func (d *dictionary) number(value string) int32 {
	recent := &d.recent[place(value)%uint(len(d.recent))]
	if recent.value == value && value != "" {
		return recent.number
	}
	number, ok := d.numbers[value]
	if !ok {
		number = int32(len(d.values))
		d.numbers[value] = number
		d.values = append(d.values, value)
		d.bytes += len(value)
	}
	recent.value, recent.number = value, number
	return number
}

// place is a number made from the address of a value in memory. Values that repeat use the same memory, so place need not read
// the bytes.
func place(s string) uint {
	const prime = 0x9e3779b97f4a7c15
	return uint(uintptr(unsafe.Pointer(unsafe.StringData(s))) * prime >> 32) //nolint:gosec // only the address: nothing is read there
}
