// Precompiled for each binary of tests, like core/pch/standard.hpp.
#include "core/pch/standard.hpp"

#include <doctest/doctest.h>
