// A library whose descriptor says what the build chooses. Nothing in it may be called.
#include <cstdlib>

#include "core/plugin/api/plugin.hpp"

using namespace moonwire::plugin;

static const char* const needs[] = {nullptr};

extern "C" {
extern __attribute__((visibility("default"))) const Descriptor moonwire_plugin;
}
const Descriptor moonwire_plugin = {MAGIC,
                                    sizeof(Descriptor),
                                    kDescriptorVersion,
                                    VERSION,
                                    BUILD,
                                    "strange",
                                    needs,
                                    []() -> Plugin* { std::abort(); }};
