#pragma once

#include <string_view>

#include "core/script/failure.hpp"
#include "core/script/generation.hpp"

namespace moonwire::script {

/// Logs a bug with its traceback, the namespace, what ran and the generation; counts it.
void log_bug(Generation& generation, std::string_view what, std::string_view name,
             const Failure& failure);

/// For a task whose failure nobody waits for: a bug is logged, and so is a fail() (as a warning).
void report_background(Generation& generation, std::string_view what, Outcome& outcome);

/// A task found no room (coroutines or memory).
void log_task_not_started(Generation& generation, std::string_view what, std::string_view why);

}  // namespace moonwire::script
