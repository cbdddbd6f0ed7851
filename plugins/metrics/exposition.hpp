#pragma once

#include <string>
#include <string_view>

#include "core/plugin/api/metrics.hpp"

namespace moonwire::metrics {

/// The two forms that Prometheus reads.
enum class Format { text, open_metrics };

/// What a scraper's Accept header asks for: OpenMetrics where it names it with no lesser weight
/// than text, else the text format 0.0.4.
Format choose_format(std::string_view accept);
const char* content_type(Format format);

/// All of it in this form. Any thread.
std::string expose(const plugin::Metrics& metrics, Format format);

}  // namespace moonwire::metrics
