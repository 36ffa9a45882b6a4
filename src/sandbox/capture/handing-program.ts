import { arch } from "node:process";
import { CattlegridError } from "../../errors/error.ts";
import { socketCommand } from "./socket-program.ts";

/** What the program says of what came with it; anything else says why nothing came. */
export const HANDED = "handed";
export const CLOSED = "closed";

/** The number of the call by which descriptors travel, for which the language has no name. */
const SENDMSG: Readonly<Partial<Record<string, number>>> = { x64: 46, arm64: 211 };

/**
 * Opens sockets and hands them out at a local socket, with a word. Without a port: those that capture; else a connection to
 * that port of the loopback, IPv4 before IPv6.
 */
const HANDING_PROGRAM = String.raw`
my ($path, $call, $inward) = @ARGV;
socket(my $out, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
connect($out, pack_sockaddr_un($path)) or die "$path: $!\n";

sub connect_inward {
  local $SIG{ALRM} = sub { die "${CLOSED}\n" };
  alarm 10;
  for my $to (pack_sockaddr_in($inward, INADDR_LOOPBACK), pack_sockaddr_in6($inward, Socket::IN6ADDR_LOOPBACK())) {
    socket(my $socket, sockaddr_family($to), SOCK_STREAM, 0) or next;
    next unless connect($socket, $to);
    $socket->blocking(0);
    return $socket;
  }
  die "${CLOSED}\n";
}

my @made = eval { $inward ? connect_inward() : capture() };
chomp(my $word = $@ || '${HANDED}');
my $rights = pack('i*', map { fileno $_ } @made);
my $control = @made ? pack('J i i a*', 16 + length $rights, 1, 1, $rights) : NONE;
$control .= "\0" x (-length($control) % 8);
my $vector = pack('P J', $word, length $word);
my $message = pack('J L x4 P J P J i x4', 0, 0, $vector, 1, $control, length $control, 0);
syscall($call, fileno $out, $message, 0) > 0 or die "sendmsg: $!\n";
`;

export interface HandingWish {
  /** Of the socket at which they are left. */
  path: string;
  /** Default: the sockets that capture. */
  port?: number | undefined;
}

export function handingCommand({ path, port }: HandingWish): readonly string[] {
  const call = SENDMSG[arch];
  if (call === undefined) {
    const message = `Sockets cannot be handed out by a container on ${arch}.`;
    throw new CattlegridError("EGRESS_UNAVAILABLE", message, { hint: "Run Cattlegrid as root." });
  }
  const inward = port === undefined ? [] : [String(port)];
  return socketCommand(HANDING_PROGRAM, [path, String(call), ...inward]);
}
