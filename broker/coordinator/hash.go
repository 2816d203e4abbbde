package coordinator

import u16 "unicode/utf16"

// utf16 is a string as Java sees it.
func utf16(s string) []uint16 { return u16.Encode([]rune(s)) }
