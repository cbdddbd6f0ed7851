#pragma once

#include <chrono>
#include <string>

#include "core/base/result.hpp"

namespace moonwire::transport {

struct LocalResponse {
    unsigned status = 0;
    std::string body;
};

/// One HTTP request over a Unix-domain socket: how a command asks a broker on this machine. Waits
/// for the answer, at most `timeout`. `accept` is the media type that is wanted. The error names
/// the path and says whether nobody listens there, it may not be opened, or no answer came.
Result<LocalResponse> request_locally(const std::string& path, const std::string& method,
                                      const std::string& target, const std::string& accept,
                                      std::chrono::milliseconds timeout);

}  // namespace moonwire::transport
