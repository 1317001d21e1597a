// The boolean entropy encoder (RFC 6386, section 7).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/types.h"

namespace vp8 {

// Writes booleans of given probability as one partition.
class BoolEncoder {
 public:
  // The interval that stands for what was written, and the bits that are not yet
  // bytes. A hot loop works on a local copy, which then lives in registers.
  struct Window {
    std::uint64_t low = 0;  // 8 + count bits, and a carry
    std::uint32_t range = 255;
    int count = 0;
  };

  [[gnu::always_inline]] void write(Window& window, bool bit, Probability probability) {
    // Each bit waits for the range that the bit before leaves, so that path is short. The
    // part of the range that goes on is 1 + ((range - 1) * probability >> 8), or the rest
    // of the range. Either takes one product and one sum, in the highest of 32 bits, where
    // the number of leading zeros is the shift.
    const std::uint32_t mask = 0 - static_cast<std::uint32_t>(bit);
    const std::uint32_t factor = ((probability ^ mask) + (mask & 257)) << 16;
    const std::uint32_t scaled = factor * window.range + (((256 + mask) << 16) - factor);
    const std::uint32_t part = scaled >> 24;
    const int shift = std::countl_zero(scaled);
    window.low += (window.range - part) & mask;
    window.range = part << shift;
    window.low <<= shift;
    window.count += shift;
    if (window.count >= kFlushBits) [[unlikely]] {
      window = flushed(window);
    }
  }
  const Window& window() const { return window_; }
  void set_window(const Window& window) { window_ = window; }

  void write(bool bit, Probability probability) { write(window_, bit, probability); }

  void write_flag(bool bit) { write(bit, 128); }

  void write_literal(int value, int bits) {
    while (bits-- > 0) write_flag((value >> bits) & 1);
  }

  void write_signed(int value, int bits) {
    write_literal(value < 0 ? -value : value, bits);
    write_flag(value < 0);
  }

  void write_optional_signed(int value, int bits) {
    write_flag(value != 0);
    if (value != 0) write_signed(value, bits);
  }

  // Ends the partition with as many bits as a decoder reads ahead.
  std::vector<std::uint8_t> finish() {
    for (int i = 0; i < 32; ++i) write_flag(false);
    window_ = flushed(window_);
    bytes_.erase(bytes_.end() - 2, bytes_.end());
    return std::move(bytes_);
  }

 private:
  static constexpr int kFlushBits = 40;  // 8 more, 7 of one write and a carry fit into 64

  // Moves whole bytes out of the window. By value, so that a caller's copy can stay in
  // registers.
  [[gnu::noinline]] Window flushed(Window window) {
    const int count = window.count / 8;
    const int kept = 8 + window.count - 8 * count;
    const std::uint64_t whole = window.low >> kept;
    if (whole >> (8 * count)) propagate_carry();
    for (int i = count - 1; i >= 0; --i) {
      bytes_.push_back(static_cast<std::uint8_t>(whole >> (8 * i)));
    }
    window.low &= (std::uint64_t{1} << kept) - 1;
    window.count -= 8 * count;
    return window;
  }

  void propagate_carry() {
    std::size_t i = bytes_.size();
    while (i > 0 && bytes_[i - 1] == 255) bytes_[--i] = 0;
    if (i > 0) ++bytes_[i - 1];
  }

  std::vector<std::uint8_t> bytes_;
  Window window_;
};

}  // namespace vp8
