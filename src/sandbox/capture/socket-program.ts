import {
  loopbackRequests,
  NETFILTER_PROTOCOL,
  ROUTE_PROTOCOL,
} from "../../platform/netlink-message.ts";
import { CAPTURE_PORT } from "./network.ts";
import { ruleRequests } from "./rule-messages.ts";

/** What reads a program of these: in every image of the Debian family, and wherever git is. */
export const INTERPRETER = "perl";

/**
 * Opens capture sockets in a network that this process cannot enter, with nothing but what the language brings: it puts the
 * requests in its arguments to the kernel, of which it knows nothing, and binds. `capture` returns the listener and the
 * sockets for DNS, or dies saying why.
 *
 * SECURITY: before anything is laid the network has to be one without a way out, and the kernel has to acknowledge every
 * request before a socket is there.
 */
const SOCKET_PROGRAM = String.raw`
use strict; use warnings; use Socket; use IO::Handle;
use constant { NONE => '', SOL_IPV6 => 41, V6ONLY => 26, DONTWAIT => 0x40, ACKNOWLEDGE => 4, ERROR => 2 };
my ($port, @wishes) = splice @ARGV, 0, 3;

sub names_of { open(my $file, '<', $_[0]) or return; map { /^\s*([^\s:]+):/ ? $1 : () } <$file> }

sub messages_of {
  my ($bytes) = @_;
  my @found;
  while (length $bytes >= 16) {
    my $length = unpack('L', $bytes);
    last if $length < 16 || $length > length $bytes;
    push @found, substr($bytes, 0, $length);
    substr($bytes, 0, ($length + 3) & ~3) = NONE;
  }
  return @found;
}

sub ask_kernel {
  my ($protocol, $request) = @_;
  socket(my $kernel, 16, SOCK_RAW, $protocol) or die "netlink: $!\n";
  send($kernel, $request, 0) or die "netlink: $!\n";
  my $left = grep { unpack('x6 S', $_) & ACKNOWLEDGE } messages_of($request);
  while (defined recv($kernel, my $said, 65536, DONTWAIT)) {
    last unless length $said;
    for (messages_of($said)) {
      my ($type, $error) = unpack('x4 S x10 l', $_);
      next if $type != ERROR;
      if ($error) { $! = -$error; die "its kernel refused the rules: $!\n" }
      $left--;
    }
  }
  die "its kernel did not acknowledge the rules\n" if $left;
}

sub open_socket {
  my ($family, $kind, $address) = @_;
  socket(my $socket, $family, $kind, 0) or die "socket: $!\n";
  setsockopt($socket, SOL_IPV6, V6ONLY, pack('i', $kind == SOCK_DGRAM ? 1 : 0)) if $family == AF_INET6;
  bind($socket, $address) or die "it could not open the sockets: $!\n";
  $socket->blocking(0);
  return $socket;
}

sub capture {
  my @others = grep { $_ ne 'lo' } names_of('/proc/net/dev');
  die "its network has more than a loopback interface: @others\n" if @others;
  my $has_v6 = -e '/proc/net/if_inet6' ? 1 : 0;
  for (split /,/, $wishes[$has_v6]) { my ($protocol, $request) = split /:/; ask_kernel($protocol, pack('H*', $request)) }
  my $any = $has_v6 ? pack_sockaddr_in6($port, Socket::IN6ADDR_ANY()) : pack_sockaddr_in($port, INADDR_ANY);
  my $listener = open_socket($has_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, $any);
  listen($listener, 511) or die "listen: $!\n";
  my @asked = open_socket(AF_INET, SOCK_DGRAM, pack_sockaddr_in($port, INADDR_LOOPBACK));
  push @asked, open_socket(AF_INET6, SOCK_DGRAM, pack_sockaddr_in6($port, Socket::IN6ADDR_LOOPBACK())) if $has_v6;
  return ($listener, @asked);
}
`;

/** A command that runs `program` after the above; `own` are what is left of its arguments. */
export function socketCommand(program: string, own: readonly string[] = []): readonly string[] {
  const wishes = [written("ip"), written("inet")];
  return [
    INTERPRETER,
    "-e",
    `${SOCKET_PROGRAM}${program}`,
    String(CAPTURE_PORT),
    ...wishes,
    ...own,
  ];
}

/** Each request behind the number of its protocol. */
function written(family: "inet" | "ip"): string {
  const loopback = loopbackRequests(family === "inet" ? ["ipv4", "ipv6"] : ["ipv4"]);
  const rules = Buffer.concat(ruleRequests(family, CAPTURE_PORT));
  return [
    ...loopback.map((request) => `${ROUTE_PROTOCOL}:${request.toString("hex")}`),
    `${NETFILTER_PROTOCOL}:${rules.toString("hex")}`,
  ].join(",");
}
