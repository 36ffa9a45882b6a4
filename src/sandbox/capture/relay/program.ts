import { socketCommand } from "../socket-program.ts";

/**
 * The relay, in the one language that is in every image of the Debian family, so that nothing has to be mounted, pulled or
 * built: it opens the sockets, and carries what lands there to the engine over its standard streams, and back.
 *
 * SECURITY: it decides nothing and reaches nothing: its network is the sandbox's, from which no packet leaves. Without an
 * engine at the other end it ends, and with it every connection; the rules stay, and there is nobody behind them.
 */
const RELAY_PROGRAM = String.raw`
use Errno qw(EAGAIN EINTR EINPROGRESS);
use constant { WINDOW => 262144, PIECE => 65536, CHANNELS => 900 };
use constant { SOL_IP => 0, ORIGINAL_DST => 80, RESET => pack('ii', 1, 0) };
$SIG{PIPE} = 'IGNORE';
binmode STDIN; binmode STDOUT;
my (%channels, %at, $listener, @asked, $reading, $writing, $last, $heard);
($reading, $writing, $last, $heard) = (NONE, NONE, 0, NONE);
watch(\*STDIN, 1);

sub watch { vec($reading, fileno($_[0]), 1) = $_[1] }
sub await { vec($writing, fileno($_[0]), 1) = $_[1] }

sub say_frame {
  my ($kind, $channel, $bytes) = @_;
  my $frame = pack('N a N', length $bytes, $kind, $channel) . $bytes;
  for (my $sent = 0; $sent < length $frame;) {
    my $more = syswrite(STDOUT, $frame, length($frame) - $sent, $sent);
    if (defined $more) { $sent += $more } elsif ($! != EINTR) { leave() }
  }
}

sub leave {
  setsockopt($_->{socket}, SOL_SOCKET, SO_LINGER, RESET) for values %channels;
  exit 0;
}

sub keep {
  my ($channel, $socket) = @_;
  $socket->blocking(0);
  $at{fileno $socket} = $channel;
  return $channels{$channel} = { socket => $socket, out => NONE, window => WINDOW, said => 0, heard => 0 };
}

sub forget {
  my ($channel, $is_reset) = @_;
  my $own = delete $channels{$channel} or return;
  my $socket = $own->{socket};
  watch($socket, 0); await($socket, 0);
  delete $at{fileno $socket};
  setsockopt($socket, SOL_SOCKET, SO_LINGER, RESET) if $is_reset;
  close $socket;
}

sub break_off { my ($channel) = @_; forget($channel, 1); say_frame('R', $channel, NONE) }

sub accept_one {
  my $peer = accept(my $socket, $listener) or return;
  if (keys %channels >= CHANNELS) { setsockopt($socket, SOL_SOCKET, SO_LINGER, RESET); close $socket; return }
  my $is_v4 = sockaddr_family($peer) == AF_INET || substr($peer, 8, 12) eq "\0" x 10 . "\xff\xff";
  my $meant = getsockopt($socket, $is_v4 ? SOL_IP : SOL_IPV6, ORIGINAL_DST);
  my $channel = ++$last;
  keep($channel, $socket);
  watch($socket, 1);
  say_frame('O', $channel, defined $meant ? $meant : NONE);
}

sub hear_channel {
  my ($channel) = @_;
  my $own = $channels{$channel} or return;
  my $most = $own->{window} < PIECE ? $own->{window} : PIECE;
  my $count = sysread($own->{socket}, my $bytes, $most);
  if (!defined $count) { break_off($channel) unless $! == EAGAIN || $! == EINTR; return }
  if ($count > 0) { $own->{window} -= $count; say_frame('D', $channel, $bytes) }
  else { $own->{heard} = 1; say_frame('E', $channel, NONE) }
  watch($own->{socket}, 0) if $own->{heard} || $own->{window} <= 0;
  finish($channel);
}

sub tell_channel {
  my ($channel) = @_;
  my $own = $channels{$channel} or return;
  return look_connected($channel) if $own->{port};
  if (length $own->{out}) {
    my $count = syswrite($own->{socket}, $own->{out});
    if (!defined $count) { return $! == EAGAIN || $! == EINTR ? await($own->{socket}, 1) : break_off($channel) }
    substr($own->{out}, 0, $count) = NONE;
    say_frame('W', $channel, pack('N', $count));
  }
  await($own->{socket}, length $own->{out} ? 1 : 0);
  finish($channel);
}

sub finish {
  my ($channel) = @_;
  my $own = $channels{$channel} or return;
  if ($own->{ending} && !$own->{said} && !length $own->{out}) { shutdown($own->{socket}, 1); $own->{said} = 1 }
  forget($channel, 0) if $own->{said} && $own->{heard};
}

sub connect_to {
  my ($channel, $port, $is_v6) = @_;
  my $address = $is_v6 ? pack_sockaddr_in6($port, Socket::IN6ADDR_LOOPBACK()) : pack_sockaddr_in($port, INADDR_LOOPBACK);
  socket(my $socket, $is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or return say_frame('R', $channel, NONE);
  my $own = keep($channel, $socket);
  @$own{'port', 'v6'} = ($port, $is_v6);
  if (connect($socket, $address)) { look_connected($channel) }
  elsif ($! == EINPROGRESS) { await($socket, 1) }
  else { not_connected($channel) }
}

sub look_connected {
  my ($channel) = @_;
  my $own = $channels{$channel};
  return not_connected($channel) if unpack('i', getsockopt($own->{socket}, SOL_SOCKET, SO_ERROR));
  delete $own->{port};
  await($own->{socket}, 0); watch($own->{socket}, 1);
  say_frame('A', $channel, NONE);
}

sub not_connected {
  my ($channel) = @_;
  my ($port, $is_v6) = @{$channels{$channel}}{'port', 'v6'};
  forget($channel, 0);
  $is_v6 ? say_frame('R', $channel, NONE) : connect_to($channel, $port, 1);
}

sub hear_query {
  my ($index) = @_;
  my $from = recv($asked[$index], my $bytes, 65536, 0);
  say_frame('U', $index, pack('C a* a*', length $from, $from, $bytes)) if defined $from && length $from;
}

sub obey {
  my ($kind, $channel, $bytes) = @_;
  my $own = $channels{$channel};
  if ($kind eq 'C') { connect_to($channel, unpack('n', $bytes), 0) }
  elsif ($kind eq 'U') { my ($to, $answer) = unpack('C/a a*', $bytes); send($asked[$channel], $answer, 0, $to) if $asked[$channel] }
  elsif (!$own) { return }
  elsif ($kind eq 'D') { $own->{out} .= $bytes; tell_channel($channel) }
  elsif ($kind eq 'E') { $own->{ending} = 1; finish($channel) }
  elsif ($kind eq 'R') { forget($channel, 1) }
  elsif ($kind eq 'W') { $own->{window} += unpack('N', $bytes); watch($own->{socket}, 1) unless $own->{heard} }
}

sub hear_engine {
  my $count = sysread(STDIN, $heard, 262144, length $heard);
  leave() if defined $count ? $count == 0 : $! != EINTR;
  my $from = 0;
  while (length($heard) - $from >= 9) {
    my ($length, $kind, $channel) = unpack("\@$from N a N", $heard);
    last if length($heard) - $from < 9 + $length;
    obey($kind, $channel, substr($heard, $from + 9, $length));
    $from += 9 + $length;
  }
  substr($heard, 0, $from) = NONE;
}

($listener, @asked) = eval { capture() };
watch($_, 1) for grep { defined } $listener, @asked;
say_frame('H', 0, $@);
while (1) {
  my $count = select(my $readable = $reading, my $writable = $writing, undef, undef);
  next if $count < 0;
  hear_engine() if vec($readable, 0, 1);
  for my $index (0 .. $#asked) { hear_query($index) if vec($readable, fileno $asked[$index], 1) }
  for my $number (keys %at) {
    my $channel = $at{$number};
    next unless defined $channel;
    tell_channel($channel) if vec($writable, $number, 1);
    hear_channel($channel) if vec($readable, $number, 1) && defined $at{$number} && $at{$number} == $channel;
  }
  accept_one() if $listener && vec($readable, fileno $listener, 1);
}
`;

/** Prints what `RelayLink` reads, and reads what that writes. */
export function relayCommand(): readonly string[] {
  return socketCommand(RELAY_PROGRAM);
}
