/**
 * Programs inside a sandbox that read attempts, one a line (`id by host port name alpn bytes`, `-` for what is absent,
 * bytes as base64), and print `id base64` of what came back.
 */
export interface Client {
  argv: readonly string[];
  /** What its language has no words for, and why. */
  cannot: Readonly<Record<string, string>>;
}

const SHELL = String.raw`
# A refused HTTP/2 request leaves its connection open.
UNTIL='$| = 1; $SIG{ALRM} = sub { kill 9, $p; exit }; alarm 15; $p = open($o, "-|", @ARGV);
while (sysread($o, $b, 65536)) { print $b; $all .= $b; last if $all =~ /egress policy refused/ } kill 9, $p'
say() { [ "$1" = - ] || base64 -d <<<"$1"; }
attempt() {
  local name=-noservername alpn=
  [ "$5" = - ] || name="-servername $5"
  [ "$6" = - ] || alpn="-alpn $6"
  case $2 in
    tcp) exec 3<>"/dev/tcp/$3/$4" && { say "$7" >&3; timeout 15 cat <&3; } ;;
    udp) exec 3<>"/dev/udp/$3/$4" && { say "$7" >&3; timeout 3 dd bs=4096 count=1 status=none <&3; } ;;
    tls) say "$7" | perl -e "$UNTIL" openssl s_client -quiet -verify_quiet -connect "$3:$4" $name $alpn ;;
    fetch) curl -sSL --max-time 15 "$3" ;;
    read) cat "$3" ;;
    socket) perl -e 'socket(my $s, $ARGV[0], $ARGV[1], $ARGV[2]) and print "open"' "$3" "$4" "$5" ;;
  esac
}
while read -r line; do
  set -- $line
  ( printf '%s %s\n' "$1" "$(attempt "$@" 2>/dev/null | base64 -w0)" ) &
  while (( $(jobs -rp | wc -l) >= 16 )); do wait -n; done
done
wait`;

const NODE = `
const net = require("node:net"), tls = require("node:tls"), dgram = require("node:dgram"), fs = require("node:fs");
const isOver = (chunks) => Buffer.concat(chunks).includes("egress policy refused");
const given = (word) => (word === "-" ? undefined : word);
function drain(stream, bytes) {
  const chunks = [];
  stream.on("data", (chunk) => isOver((chunks.push(chunk), chunks)) && stream.destroy()).on("error", () => {}).on("end", () => stream.end());
  stream.setTimeout(15000, () => stream.destroy());
  if (bytes.length > 0) stream.write(bytes);
  return new Promise((resolve) => stream.once("close", () => resolve(Buffer.concat(chunks))));
}
const by = {
  tcp: ({ host, port, bytes }) => drain(net.connect({ host, port, allowHalfOpen: true }), bytes),
  tls: ({ host, port, name, alpn, bytes }) => drain(tls.connect({ host, port, rejectUnauthorized: false,
    servername: name ?? "", ...(alpn && { ALPNProtocols: [alpn] }) }), bytes),
  udp: ({ host, port, bytes }) => new Promise((resolve) => {
    const s = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    const done = (got) => { clearTimeout(timer); s.close(); resolve(got); };
    const timer = setTimeout(done, 3000, "");
    s.once("error", () => done("")).once("message", done);
    s.connect(port, host, (error) => error ? done("") : s.send(bytes, () => {}));
  }),
  fetch: async ({ host }) => (await fetch(host, { signal: AbortSignal.timeout(15000) })).text(),
  read: async ({ host }) => fs.readFileSync(host),
};
(async () => {
  const waiting = fs.readFileSync(0, "utf8").trim().split("\\n");
  const work = async () => {
    for (let line; (line = waiting.shift()) !== undefined; ) {
      const [id, kind, host, port, name, alpn, bytes] = line.split(" ");
      const told = { host, port: Number(port), name: given(name), alpn: given(alpn),
        bytes: Buffer.from(given(bytes) ?? "", "base64") };
      const got = await by[kind](told).catch(() => "");
      console.log(id + " " + Buffer.from(got).toString("base64"));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
})();`;

const PYTHON = `
import base64, socket, ssl, sys, urllib.request
from concurrent.futures import ThreadPoolExecutor
def drain(s, data):
    got = b""
    try:
        s.settimeout(15)
        if data: s.sendall(data)
        while b"egress policy refused" not in got and (part := s.recv(65536)): got += part
    except OSError: pass
    return got
def tcp(host, port, name, alpn, data):
    with socket.create_connection((host, int(port)), 15) as s: return drain(s, data)
def tls(host, port, name, alpn, data):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn: context.set_alpn_protocols([alpn])
    with socket.create_connection((host, int(port)), 15) as s:
        with context.wrap_socket(s, server_hostname=name) as t: return drain(t, data)
def udp(host, port, name, alpn, data):
    family = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.connect((host, int(port)))
        s.send(data)
        return s.recv(4096)
def fetch(url, *_):
    with urllib.request.urlopen(url, timeout=15) as answer: return answer.read()
def read(path, *_):
    with open(path, "rb") as f: return f.read()
def make(family, kind, protocol, *_):
    socket.socket(int(family), int(kind), int(protocol)).close()
    return b"open"
BY = dict(tcp=tcp, tls=tls, udp=udp, fetch=fetch, read=read, socket=make)
def attempt(line):
    ident, kind, *words, data = line.split(" ")
    words = [None if word == "-" else word for word in words]
    try: got = BY[kind](*words, base64.b64decode("" if data == "-" else data))
    except (OSError, ValueError): got = b""
    print(ident + " " + base64.b64encode(got).decode() + "\\n", end="", flush=True)
with ThreadPoolExecutor(16) as pool: list(pool.map(attempt, sys.stdin.read().split("\\n")[:-1]))`;

export const CLIENTS = {
  sh: { argv: ["bash", "-c", SHELL], cannot: {} },
  Node: {
    argv: ["node", "-e", NODE],
    cannot: { socket: "Node makes TCP, UDP and Unix sockets and no others" },
  },
  Python: { argv: ["/usr/bin/python3", "-c", PYTHON], cannot: {} },
} satisfies Record<string, Client>;
