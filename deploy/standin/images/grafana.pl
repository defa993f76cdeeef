# Answers every request with one sentence.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{TERM} = sub { exit 0 };
my $door = IO::Socket::INET->new(LocalPort => 3000, Listen => 16, ReuseAddr => 1)
  or die "port 3000: $!";
my $text = "A stand-in: Grafana itself cannot be had here.\n";
while (my $client = $door->accept) {
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n",
      "Content-Length: ", length $text, "\r\n\r\n", $text;
    close $client;
}
