<?php

declare(strict_types=1);

/*
 * A worker that does as the messages say, which are PHP code, and answers with what they return. E2E_PREPARED=yes makes it
 * set up before its loop all that handlers are then to change.
 */

ini_set('session.save_path', getenv('E2E_DIR'));
if (getenv('E2E_PREPARED') === 'yes') {
    ini_set('precision', '7');
    ini_set('memory_limit', '96M');
    ini_set('default_charset', 'ISO-8859-1');
    set_time_limit(40);
    error_reporting(E_ALL & ~E_NOTICE);
    date_default_timezone_set('Asia/Tokyo');
    setlocale(LC_NUMERIC, 'C.UTF-8');
    chdir('/usr');
    umask(0o27);
    mb_internal_encoding('SJIS');
    mb_substitute_character(0x3f);
    mb_detect_order(['ASCII', 'EUC-JP']);
    mb_regex_encoding('EUC-JP');
    putenv('E2E_BOOT=yes');
    $_ENV['boot'] = 'yes';
    set_error_handler(static function (int $type, string $text): bool {
        return $GLOBALS['errors'][] = $text;
    });
    set_error_handler(static function (int $type, string $text): bool {
        $GLOBALS['errors'][] = $text;

        return true;
    }, E_ALL & ~E_DEPRECATED);
    set_exception_handler(static function (Throwable $error): void {
        error_log('the handler of before the loop: ' . $error->getMessage());
    });
    register_shutdown_function(static function (): void {
        file_put_contents(getenv('E2E_DIR') . '/ended', "of before the loop\n", FILE_APPEND);
    });
    register_tick_function('strlen', 'of before the loop');
    libxml_use_internal_errors(true);
    stream_context_set_default(['http' => ['user_agent' => 'of before the loop']]);
    session_name('BOOT');
    ini_set('session.use_strict_mode', '0');
    assert_options(ASSERT_CALLBACK, 'strlen');
    pcntl_signal(SIGUSR2, SIG_IGN);
    mysqli_report(MYSQLI_REPORT_ERROR);
    libxml_set_streams_context(stream_context_create(['seen' => ['by' => 'the script']]));
}
if (getenv('E2E_SAVE_HANDLER') === 'yes') {
    session_set_save_handler(new class () extends SessionHandler {
        public function write(string $id, string $data): bool
        {
            if (str_contains($data, 'unwritable')) {
                throw new RuntimeException('the session cannot be written');
            }

            return parent::write($id, $data);
        }
    });
}
$folder = getenv('E2E_DIR') . '/current';
if (getenv('E2E_FOLDER') === 'yes') {
    is_dir($folder) || mkdir($folder);
    chdir($folder);
}
file_put_contents(getenv('E2E_DIR') . '/booted', "booted\n", FILE_APPEND);

/** Tells the context that libxml reads with. */
final class Seen
{
    public $context;
    public static array $options = [];

    public function url_stat(): array
    {
        return ['size' => 0];
    }

    public function stream_open(): bool
    {
        self::$options = stream_context_get_options($this->context);

        return false;
    }
}
stream_wrapper_register('seen', Seen::class);

/** What the application keeps over its events, as it may. */
final class Kept
{
    public static int $events = 0;
}

$handler = static function (): void {
    $bell = $_SERVER['QUERY_STRING'];
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        Kept::$events++;
        if ($event['type'] !== 'message') {
            continue;
        }
        if (str_starts_with($event['data'], 'leave the loop')) {
            eval(substr($event['data'], strlen('leave the loop')));
            frankenphp_ws_send($event['id'], '{"value":"left"}');

            return;
        }
        if ($event['data'] === 'throw out of the loop') {
            frankenphp_ws_send($event['id'], '{"value":"thrown"}');
            throw new RuntimeException('out of the loop');
        }
        try {
            $value = eval($event['data']);
        } catch (Throwable $error) {
            $value = $error::class . ': ' . $error->getMessage();
        }
        frankenphp_ws_send($event['id'], json_encode(['bell' => $bell, 'event' => Kept::$events, 'value' => $value], JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE));
    }
};
while (frankenphp_handle_request($handler)) {
}
