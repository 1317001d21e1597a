// How much is tried before a macroblock is coded: one row for each level of effort.
//
// EncodeSettings names a row of kEfforts, which goes down to the deciders; a new level is a new
// row. RebaseSettings carries a row of its own.
#pragma once

namespace vp8 {

// How far the search for one motion vector goes.
struct VectorEffort {
  int first_step_px;   // of whole pixels; halved until it is 1
  int moves;           // at most so many with each step of whole pixels
  int fraction_moves;  // at most so many with a step of a half pixel, and of a quarter
};

// How far intra modes are tried.
struct IntraEffort {
  bool subblocks;          // B_PRED is tried even if an inter candidate is the best so far
  int subblock_finalists;  // so many modes of a subblock are coded before one is chosen, 1 to 4
};

// How far the search for a frame's loop filter goes.
struct FilterEffort {
  int first_step;  // of levels; halved until it is 1. 0: no search
  bool sharpness;  // it is searched, too
};

inline constexpr FilterEffort kNoFilterSearch{.first_step = 0, .sharpness = false};

// Which macroblocks are split into 4x4 parts.
enum class SmallestSplits {
  kNone,
  kDrawn,    // those that show something drawn, if larger parts won
  kIfSplit,  // all, if larger parts won
  kAll,
};

// How a macroblock is decided from nothing.
struct SearchEffort {
  VectorEffort whole;     // for the macroblock
  VectorEffort split;     // for its quarters, where halves take theirs from
  VectorEffort smallest;  // for its 4x4 parts
  // Fractions of a pixel are searched only if whole pixels cost less than so many
  // quarters of what they cost in the best reference so far.
  int fraction_quarters;
  // A macroblock is settled with the best vector that needs no search if the difference is at
  // most so many quantizer steps in all, and nothing of it would be coded. It may be larger if
  // the neighbours have that vector, too. 0: never.
  int settled_steps;
  int settled_steps_alike;
  // At most so many inter candidates are coded to the end, and none that costs more
  // than so many halves of the best.
  int finalists;
  int finalist_halves;
  bool splits;                     // SPLITMV is tried
  SmallestSplits smallest_splits;  // and in 4x4 parts
  bool every_partitioning;         // all are coded to the end, not only the most promising
  bool second_reference_splits;    // and those of the second best reference
  // 4x4 parts of something drawn that are found nowhere near are looked for at all whole
  // vectors up to so far from the macroblock's. 0: they are not.
  int everywhere_px;
  IntraEffort inter_intra;  // in inter frames
  IntraEffort key_intra;    // in key frames
  bool far_vectors;         // vectors of sketches are tried, too
  FilterEffort filter;
  int first_look;  // one row of so many is looked at before an inter frame is decided; 0: none
};

// How a macroblock is decided that was decided before, against other references.
struct RepeatEffort {
  bool splits;  // an old SPLITMV is tried
  // Intra modes are tried if the absolute difference of one is less than so many halves
  // of the inter candidate's.
  int promising_halves;
  // Chroma is not coded if it differs by less than so many quantizer steps in all. At 3,
  // something of it would have been coded in one macroblock of five thousand at low
  // rates, and in one of five hundred at high ones.
  int chroma_steps;
};

// ADR 15 and 21 have the measurements behind these numbers.
inline constexpr SearchEffort kEffort0{
    .whole = {.first_step_px = 4, .moves = 16, .fraction_moves = 1},
    .split = {.first_step_px = 1, .moves = 4, .fraction_moves = 1},
    .smallest = {.first_step_px = 1, .moves = 4, .fraction_moves = 1},
    .fraction_quarters = 5,
    .settled_steps = 8,
    .settled_steps_alike = 32,
    .finalists = 1,
    .finalist_halves = 3,
    .splits = true,
    .smallest_splits = SmallestSplits::kNone,
    .every_partitioning = false,
    .second_reference_splits = false,
    .everywhere_px = 0,
    .inter_intra = {.subblocks = false, .subblock_finalists = 1},
    .key_intra = {.subblocks = true, .subblock_finalists = 1},
    .far_vectors = false,
    .filter = {.first_step = 4, .sharpness = false},
    .first_look = 8,
};

// Each level is the one before with more.
constexpr SearchEffort effort1() {
  SearchEffort effort = kEffort0;
  effort.whole.fraction_moves = 2;
  effort.split = {.first_step_px = 2, .moves = 16, .fraction_moves = 2};
  effort.finalists = 3;
  effort.smallest_splits = SmallestSplits::kDrawn;
  effort.everywhere_px = 64;
  effort.far_vectors = true;
  effort.inter_intra.subblocks = true;
  effort.filter.first_step = 8;
  return effort;
}
constexpr SearchEffort effort2() {
  SearchEffort effort = effort1();
  effort.smallest_splits = SmallestSplits::kIfSplit;
  effort.inter_intra.subblock_finalists = 2;
  effort.key_intra.subblock_finalists = 3;
  effort.first_look = 4;
  return effort;
}
constexpr SearchEffort effort3() {
  SearchEffort effort = effort2();
  effort.smallest = {.first_step_px = 2, .moves = 16, .fraction_moves = 1};
  effort.every_partitioning = true;
  effort.second_reference_splits = true;
  effort.filter.sharpness = true;
  effort.first_look = 2;
  return effort;
}
constexpr SearchEffort effort4() {
  SearchEffort effort = effort3();
  effort.settled_steps = effort.settled_steps_alike = 0;
  effort.finalists = 5;
  effort.smallest_splits = SmallestSplits::kAll;
  effort.everywhere_px = 128;
  effort.inter_intra.subblock_finalists = effort.key_intra.subblock_finalists = 4;
  effort.first_look = 1;
  return effort;
}
inline constexpr SearchEffort kEfforts[] = {kEffort0, effort1(), effort2(), effort3(), effort4()};
inline constexpr int kHighestEffort = 4;
inline constexpr int kDefaultEffort = 2;

// For looking first: only which kind of prediction wins matters, not by how much.
constexpr SearchEffort first_look_effort() {
  SearchEffort effort = kEffort0;
  effort.splits = false;
  effort.settled_steps = effort.settled_steps_alike = 0;
  return effort;
}
inline constexpr SearchEffort kFirstLook = first_look_effort();

inline constexpr RepeatEffort kStandardRepeat{
    .splits = true,
    .promising_halves = 3,
    .chroma_steps = 3,
};

}  // namespace vp8
