package gzipjoin

import "hash/crc32"

// The CRC of gzip is the remainder of the text, read as a polynomial over GF(2), by the polynomial
// crc32.IEEE. So the CRC of two texts in a row is that of the first times x^(8*length of the
// second), plus that of the second (Ross Williams, "A Painless Guide to CRC Error Detection
// Algorithms"). Polynomials are written with x^31 in the lowest bit, as crc32.IEEE is.

const one = 1 << 31 // the polynomial x^0

// multiply returns a times b, modulo crc32.IEEE.
func multiply(a, b uint32) uint32 {
	var product uint32
	for range 32 { // without branches, which the processor would guess wrong
		product ^= b & -(a >> 31)
		a <<= 1
		b = b>>1 ^ crc32.IEEE&-(b&1) // b times x
	}
	return product
}

// shiftBy returns x^(8*n), by which the CRC of a text is multiplied when n bytes follow.
func shiftBy(n int) uint32 {
	power, result := uint32(one>>8), uint32(one) // power is x^8, then its squares
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = multiply(power, result)
		}
		power = multiply(power, power)
	}
	return result
}
