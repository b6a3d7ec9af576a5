package simulator

import "fmt"

// mix condenses its arguments into 64 well spread bits (splitmix64's finalizer). All chance in this
// package comes from it: equal inputs, equal fleets.
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h ^= p
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// fraction maps a hash to [0,1).
func fraction(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// textKey makes an argument of mix from a text, by FNV-1a.
func textKey(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// requestID makes the n-th request ID, in the API's form.
func requestID(n uint64) string {
	a, b := mix(n, 1), mix(n, 2)
	return fmt.Sprintf("%08X-%04X-%04X-%04X-%012X", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}
