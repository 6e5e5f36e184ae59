// The proxies, each as its own documentation would have it for this task.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { PYTHON } from '../../peers/fastmcp.js';
import { freePort, temporaryFolder } from '../../peers/process.js';
import { ON_PROXY, started } from './processor.js';

/** A proxy that runs as a process of its own. */
class Candidate {
  measured = {};
  /** Whether a GET opens a stream. */
  streams = true;

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
  constructor(name, signed, { folder, upstream }, command, text, ending = '.conf') {
    super(name, signed);
    const file = path.join(folder, `${name.replaceAll(/\W+/g, '-')}${ending}`);
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

/** As its documentation has it, with the cache of tokens that it has by now. Envoy knows tokens, and nothing of tools. */
function envoy(one, setting) {
  const text = ({ port, upstream }) => JSON.stringify({
    static_resources: {
      listeners: [{
        name: 'mcp',
        address: { socket_address: { address: '127.0.0.1', port_value: port } },
        filter_chains: [{ filters: [{ name: 'http', typed_config: connections(one) }] }],
      }],
      clusters: [{
        name: 'server',
        connect_timeout: '5s',
        circuit_breakers: { thresholds: [{ max_connections: 20_000, max_pending_requests: 20_000, max_requests: 20_000 }] },
        load_assignment: {
          cluster_name: 'server',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: upstream } } } }] }],
        },
      }],
    },
  });
  const command = (file) => [process.env.ENVOY, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'off', '-c', file];
  return new Configured(`Envoy, ${one.algorithm}, cached`, one, setting, command, text, '.json');
}

/** PyPI's fastmcp: a person's few lines of Python. It speaks MCP to both sides, and lets no stream of a GET through. */
class FastMcp extends Candidate {
  streams = false;

  constructor(one, { upstream }) {
    super(`fastmcp, ${one.algorithm}`, { tokens: one.few });
    this.host = 'localhost';
    this.command = [...ON_PROXY, PYTHON, path.join(import.meta.dirname, '../../peers/fastmcp_gateway.py')];
    this.env = { UPSTREAM: `http://127.0.0.1:${upstream}/mcp`, ISSUER: one.issuer, AUDIENCE: one.endpoint, PUBLIC_KEY: one.pem };
  }

  async start(script) {
    this.port = await freePort();
    const home = await temporaryFolder();
    script.after(home.remove);
    Object.assign(this.env, { PORT: String(this.port), HOME: home.folder, FASTMCP_HOME: home.folder, FASTMCP_CHECK_FOR_UPDATES: 'off' });
    script.after(() => this.program?.stop());
    await started(this);
  }
}

const TYPE = 'type.googleapis.com/envoy.extensions.filters';

function connections({ issuer, endpoint, jwk }) {
  const known = { issuer, audiences: [endpoint], jwt_cache_config: { jwt_cache_size: 10_000 }, forward: false };
  const provider = { ...known, local_jwks: { inline_string: JSON.stringify({ keys: [jwk] }) } };
  return {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'mcp',
    stream_idle_timeout: '0s',
    route_config: {
      virtual_hosts: [{
        name: 'mcp',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, route: { cluster: 'server', timeout: '0s' } }],
      }],
    },
    http_filters: [
      {
        name: 'jwt',
        typed_config: {
          '@type': `${TYPE}.http.jwt_authn.v3.JwtAuthentication`,
          providers: { hallpass: provider },
          rules: [{ match: { prefix: '/' }, requires: { provider_name: 'hallpass' } }],
        },
      },
      { name: 'router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } },
    ],
  };
}

export function candidates(setting, signed, others) {
  return [
    ...[...signed, ...others].map((one) => new Hallpass(one)),
    haproxy('HAProxy, no JWT', signed[0], setting, ''),
    ...signed.map((one) => haproxy(`HAProxy, ${one.algorithm}`, one, setting, verified(one))),
    nginx(signed[0], setting),
    ...signed.map((one) => envoy(one, setting)),
    new FastMcp(signed[0], setting),
  ];
}
