// The boolean entropy decoder (RFC 6386, section 7).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/types.h"

namespace vp8 {

// Reads booleans of given probability from one partition.
//
// The window holds 64 bits, left aligned, and is refilled seven or eight bytes at a time.
// Past the end of the data it reads zeros, so that no read can leave the buffer; callers
// ask overran() once a macroblock whether that happened.
//
// Range and split are stored less one: the standard's split is 1 + (((range - 1) *
// probability) >> 8), and every read waits for the one before it to know it.
//
// It is small, and nothing takes the address of a member: a hot loop works on a local copy,
// which then lives in registers, and writes it back. Copies are made member by member: a
// copy of the whole would load vectors from single members stored just before, and such a
// load waits until they are in the cache.
class BoolDecoder {
 public:
  BoolDecoder() = default;
  BoolDecoder(const std::uint8_t* data, std::size_t size)
      : end_(data + size), size_(static_cast<std::ptrdiff_t>(size)), left_(size_) {}
  BoolDecoder(const BoolDecoder& other) { *this = other; }
  BoolDecoder& operator=(const BoolDecoder& other) {  // NOLINT: of itself changes nothing
    end_ = other.end_;
    size_ = other.size_;
    left_ = other.left_;
    window_ = other.window_;
    range_ = other.range_;
    available_ = other.available_;
    return *this;
  }

  [[gnu::always_inline]] bool read(Probability probability) {
    if (available_ < 0) [[unlikely]] {
      refill();
    }
    const std::uint32_t split = (range_ * probability) >> 8;
    const bool bit = window_ >> 56 > split;
    std::uint32_t range;  // not less one
    if (bit) {
      range = range_ - split;
      window_ -= (std::uint64_t{split} + 1) << 56;
    } else {
      range = split + 1;
    }
    const int shift = __builtin_clz(range) ^ 24;  // less 24, in fewer instructions
    range_ = (range << shift) - 1;
    window_ <<= shift;
    available_ -= shift;
    return bit;
  }

  // Reads a sign for `magnitude`: a bit of even odds, without a branch, since it cannot be
  // predicted. Not for a partition's first boolean: after others the range is at most 254,
  // and half of that is always one shift away from a whole one.
  [[gnu::always_inline]] int read_sign(int magnitude) {
    if (available_ < 0) [[unlikely]] {
      refill();
    }
    const std::uint32_t split = range_ >> 1;
    const std::uint32_t negative = window_ >> 56 > split;
    const std::uint64_t mask = 0 - std::uint64_t{negative};
    window_ = (window_ - (mask & ((std::uint64_t{split} + 1) << 56))) << 1;
    range_ = (range_ - negative) | 1;
    --available_;
    return (magnitude ^ static_cast<int>(mask)) + static_cast<int>(negative);
  }

  bool read_flag() { return read(128); }

  // An unsigned number of `bits` bits, most significant first.
  int read_literal(int bits) {
    int value = 0;
    while (bits-- > 0) value = (value << 1) | static_cast<int>(read_flag());
    return value;
  }

  // A magnitude of `bits` bits and then a sign.
  int read_signed(int bits) {
    const int magnitude = read_literal(bits);
    return read_flag() ? -magnitude : magnitude;
  }

  // A value behind a flag; `absent` if the flag is clear.
  int read_optional_signed(int bits, int absent = 0) {
    return read_flag() ? read_signed(bits) : absent;
  }

  // True once the decoder of section 7.3 (two bytes ahead, then one every eight
  // bits) would have read past the end. Encoders flush enough bytes that this
  // never happens on a whole partition.
  bool overran() const {
    const std::ptrdiff_t loaded = size_ - left_;
    return loaded != 0 && 2 + (loaded * 8 - (available_ + 8)) / 8 > size_;
  }

 private:
  [[gnu::always_inline]] void refill() {
    const int valid = available_ + 8;  // 0 to 7 bits are left
    const int bytes = valid == 0 ? 8 : 7;
    // The bits beyond the last whole byte are put in again next time, with the same values.
    window_ |= (left_ >= 8 ? eight_bytes(end_ - left_) : last_bytes(end_, left_)) >> valid;
    left_ -= bytes;
    available_ += 8 * bytes;
  }

  static std::uint64_t eight_bytes(const std::uint8_t* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, 8);
    static_assert(std::endian::native == std::endian::little);
    return __builtin_bswap64(word);
  }

  // The last `left` bytes, fewer than eight, and zeros.
  [[gnu::noinline]] static std::uint64_t last_bytes(const std::uint8_t* end, std::ptrdiff_t left) {
    std::uint64_t word = 0;
    for (int shift = 56; left > 0; --left, shift -= 8) word |= std::uint64_t{end[-left]} << shift;
    return word;
  }

  const std::uint8_t* end_ = nullptr;
  std::ptrdiff_t size_ = 0;
  std::ptrdiff_t left_ = 0;    // bytes not taken; negative once zeros stand in
  std::uint64_t window_ = 0;   // the next bits, left aligned
  std::uint32_t range_ = 254;  // less one: 127 to 254 between reads
  int available_ = -8;         // bits in the window beyond the first eight
};

}  // namespace vp8
