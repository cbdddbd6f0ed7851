// A library that is none of ours.
extern "C" int answer() { return 42; }
