#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "core/base/result.hpp"

struct ssl_st;

namespace moonwire::transport {

/// The rules of outgoing TLS: 1.2 at least, the system's authorities and those of `ca_file` (PEM;
/// empty: none). An error names the file. Any thread once made.
Result<std::shared_ptr<boost::asio::ssl::context>> make_client_tls(const std::string& ca_file);

/// Says whom the session is for (SNI) and whose certificate it accepts; false when memory is out.
bool expect_host(ssl_st* session, const std::string& host);

/// Why a handshake failed, in words.
std::string handshake_problem(ssl_st* session, boost::system::error_code error);

}  // namespace moonwire::transport
