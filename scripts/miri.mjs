/**
 * Runs tests of the engine in Miri, which finds undefined behaviour, over real sockets:
 * `npm run miri [cargo test's arguments]`. Node-API is no part of it.
 */
import { run } from './run.mjs';

const TARGETS = ['router', 'bridge', 'streams', 'direct', 'server'];

/** Miri is a thousand times slower: not what asks hundreds of times, or moves megabytes. */
const SKIPPED = [
  'turns_back_no_more_often_than_there_are_nodes',
  'what_is_ready_together_crosses_together_and_wakes_once',
  'a_pipelined_request_read_ahead_is_answered_in_its_turn',
  'room_is_reported_only_as_the_client_takes_data',
  'an_early_answer_reaches_a_client_that_sends_on',
  'content_of_a_known_length_and_content_that_the_connection_ends_are_written_directly',
  'what_the_socket_has_no_room_for_follows_and_is_told_of',
  'the_rest_of_a_direct_chunk_comes_before_the_end',
  // SO_LINGER, which Miri does not know.
  'a_client_that_leaves_a_silent_stream_cancels_it',
  'a_client_that_leaves_behind_more_than_is_read_cancels_its_request',
  'http_1_0_content_ends_with_the_connection_and_with_a_reset_where_it_fails',
];

process.env.MIRIFLAGS = '-Zmiri-disable-isolation';
process.env.CARGO_TARGET_DIR = 'target/miri';
const named = process.argv.slice(2);
const words =
  named.length > 0
    ? named
    : [
        '--no-fail-fast',
        ...TARGETS.flatMap((target) => ['--test', target]),
        '--',
        ...SKIPPED.flatMap((test) => ['--skip', test]),
      ];
run('cargo', '+nightly', 'miri', 'test', '--locked', ...words);
