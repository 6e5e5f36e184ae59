// The proxies, each as its own documentation would have it for this task.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { freePort } from '../../peers/process.js';
import { ON_PROXY, started } from './processor.js';

/** A proxy that runs as a process of its own. */
class Candidate {
  measured = {};

  constructor(name, { tokens }) {
    this.name = name;
    this.tokens = tokens;
  }

  async memory() {
    const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(kibibytes) * 1024;
  }

  get pid() {
    return this.program.pid;
  }
}

class Hallpass extends Candidate {
  constructor(signed) {
    super(`hallpass, ${signed.algorithm}`, signed);
    const { hallpass } = signed;
    this.program = hallpass.program;
    this.host = new URL(hallpass.endpoint).host;
    this.port = Number(new URL(hallpass.endpoint).port);
    // A start like any other: at the same place, with the same data.
    this.command = hallpass.command.map((word) => (word === 'localhost:0' ? `localhost:${this.port}` : word));
  }

  async start(script) {
    script.after(() => this.program.stop());
  }
}

/** One that reads a configuration file. */
class Configured extends Candidate {
  constructor(name, signed, { folder, upstream }, command, text) {
    super(name, signed);
    const file = path.join(folder, `${name.replaceAll(/\W+/g, '-')}.conf`);
    this.host = 'localhost';
    this.command = [...ON_PROXY, ...command(file)];
    this.write = (port) => writeFileSync(file, text({ port, upstream, folder }));
  }

  async start(script) {
    this.port = await freePort();
    this.write(this.port);
    script.after(() => this.program?.stop());
    await started(this);
  }
}

/** As HAProxy's documentation of `jwt_verify` has it: the algorithm is pinned, issuer, audience and time are compared. */
const verified = ({ algorithm, issuer, endpoint, pem }) => `
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')
  http-request set-var(txn.aud) http_auth_bearer,jwt_payload_query('$.aud')
  http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${algorithm} }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${issuer} }
  http-request deny deny_status 401 unless { var(txn.aud) -m str ${endpoint} }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify(txn.alg,"${pem}") 1 }`;

function haproxy(name, signed, setting, rules) {
  const text = ({ port, upstream }) => `
global
  nbthread 1
  maxconn 9950
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option http-no-delay
frontend mcp
  bind 127.0.0.1:${port}${rules}
  default_backend server
backend server
  http-reuse always
  server one 127.0.0.1:${upstream}
`;
  return new Configured(name, signed, setting, (file) => ['haproxy', '-db', '-f', file], text);
}

function nginx(signed, setting) {
  const text = ({ port, upstream, folder }) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
worker_rlimit_nofile 20000;
events { worker_connections 19950; }
http {
  access_log off;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  keepalive_requests 1000000000;
  upstream server { server 127.0.0.1:${upstream}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`;
  return new Configured('nginx, no JWT', signed, setting, (file) => ['nginx', '-c', file], text);
}

export function candidates(setting, signed) {
  return [
    ...signed.map((one) => new Hallpass(one)),
    haproxy('HAProxy, no JWT', signed[0], setting, ''),
    ...signed.map((one) => haproxy(`HAProxy, ${one.algorithm}`, one, setting, verified(one))),
    nginx(signed[0], setting),
  ];
}
