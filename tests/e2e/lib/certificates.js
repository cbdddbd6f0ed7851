"use strict";
// An authority of one's own, and what it signs, made with the openssl command.

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

class Authority {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-ca-"));
    this.openssl(["req", "-x509", ...KEY, "-days", "2", "-subj", "/CN=Test CA",
      "-keyout", "ca.key", "-out", "ca.pem"]);
    this.file = path.join(this.folder, "ca.pem");
    this.certificate = fs.readFileSync(this.file);
  }

  openssl(args) {
    execFileSync("openssl", args, { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
  }

  /// Signs a new key for these alternative names ("DNS:localhost,IP:127.0.0.1"; none for a client):
  /// the paths {certificate, key}. The same name again replaces both files.
  issue(name, subject, alternatives) {
    const names = alternatives ? ["-addext", `subjectAltName=${alternatives}`] : [];
    this.openssl(["req", "-x509", ...KEY, "-days", "2", "-subj", subject, ...names,
      "-addext", "basicConstraints=critical,CA:FALSE",
      "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", `${name}.key`, "-out", `${name}.pem`]);
    return {
      certificate: path.join(this.folder, `${name}.pem`), key: path.join(this.folder, `${name}.key`),
    };
  }

  discard() {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Authority };
