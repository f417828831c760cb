<?php

declare(strict_types=1);

/**
 * Ways in which a script that authorises a WebSocket can end. Those that begin with "yes" say yes first; only those that begin with
 * "fine" end well after that.
 *
 * @return array<string, Closure(): mixed>
 */
function endings(): array
{
    $yes = static fn () => header('WebSocket-Authorize: accept');
    $print = static function (): void {
        echo 'some warning';
        flush();
    };
    $throw = static fn () => throw new RuntimeException('on purpose');
    $fatal = static fn () => eval('class stdClass {}');
    // What applications do with exceptions when they do no more than log them, in worker mode as well.
    $logging = static function (callable $do): void {
        set_exception_handler(static fn (Throwable $e) => error_log($e->getMessage()));
        $do();
    };

    return [
        'nothing' => static fn () => null,
        'page' => static fn () => print 'hello',
        'throw' => $throw,
        'print-throw' => static fn () => [$print(), $throw()],
        'logged-throw' => static fn () => $logging($throw),
        'logged-print-throw' => static fn () => $logging(static fn () => [$print(), $throw()]),
        'fatal' => $fatal,
        'user-error' => static function (): void {
            set_error_handler(static fn () => false);
            trigger_error('on purpose', E_USER_ERROR);
        },
        'printed-first' => static fn () => [$print(), $yes()],

        'yes-throw' => static fn () => [$yes(), $throw()],
        'yes-print-throw' => static fn () => [$yes(), $print(), $throw()],
        'yes-buffered-throw' => static fn () => [ob_start(), $yes(), print 'x', $throw()],
        'yes-logged-throw' => static fn () => $logging(static fn () => [$yes(), $throw()]),
        'yes-print-logged-throw' => static fn () => $logging(static fn () => [$yes(), $print(), $throw()]),
        'yes-logged-throw-uncaught-by-others' => static fn () => $logging(static function () use ($yes, $throw): void {
            $yes();
            try {
                try {
                    $throw();
                } catch (LogicException | Error) {
                    return;
                } finally {
                    strlen('something to do');
                }
            } catch (NoSuchClass) {
            }
        }),
        'yes-logged-rethrow' => static fn () => $logging(static function () use ($yes, $throw): void {
            $yes();
            try {
                $throw();
            } catch (RuntimeException $e) {
                throw new LogicException('again', 0, $e);
            }
        }),
        'yes-logged-throw-in-generator' => static fn () => $logging(static function () use ($yes, $throw): void {
            $yes();
            $inner = (static function () use ($throw) {
                yield 1;
                $throw();
            })();
            $outer = (static fn () => yield from $inner)();
            foreach ($outer as $_) {
            }
        }),
        'yes-logged-throw-in-fiber' => static fn () => $logging(static fn () => [$yes(), (new Fiber($throw))->start()]),
        'yes-logged-throw-in-callback' => static fn () => $logging(static fn () => [$yes(), array_map($throw, [1])]),
        'yes-logged-type-error' => static fn () => $logging(static fn () => [$yes(), strlen([])]),
        'yes-fatal' => static fn () => [$yes(), $fatal()],
        'yes-print-fatal' => static fn () => [$yes(), $print(), $fatal()],
        'yes-memory' => static fn () => [$yes(), str_repeat('x', PHP_INT_MAX >> 8)],
        'yes-user-error' => static function () use ($yes): void {
            set_error_handler(static fn () => false);
            $yes();
            trigger_error('on purpose', E_USER_ERROR);
        },
        'yes-exit-then-fatal' => static function () use ($yes, $fatal): void {
            register_shutdown_function($fatal);
            $yes();
            exit;
        },
        'yes-exit-then-throw' => static function () use ($yes, $throw): void {
            register_shutdown_function($throw);
            $yes();
            exit;
        },
        'yes-after-fatal' => static function () use ($yes, $fatal): void {
            register_shutdown_function(static function () use ($yes): void {
                http_response_code(200);
                $yes();
            });
            $fatal();
        },
        'yes-logged-then-200' => static function () use ($yes, $throw): void {
            set_exception_handler(static function () use ($yes): void {
                http_response_code(200);
                $yes();
            });
            $throw();
        },
        'yes-throw-in-destructor' => static function () use ($yes, $throw): void {
            $yes();
            $GLOBALS['last'] = new class($throw) {
                public function __construct(private Closure $last)
                {
                }

                public function __destruct()
                {
                    ($this->last)();
                }
            };
            exit;
        },
        'yes-throw-in-buffer' => static function () use ($yes, $throw): void {
            $yes();
            ob_start($throw);
            echo 'x';
        },
        'yes-print-throw-in-buffer' => static function () use ($yes, $print, $throw): void {
            $yes();
            $print();
            ob_start($throw);
            echo 'x';
        },

        'fine' => $yes,
        'fine-print' => static fn () => [$yes(), $print()],
        'fine-exit' => static function () use ($yes): never {
            $yes();
            exit('bye');
        },
        'fine-warning' => static fn () => [$yes(), trigger_error('on purpose', E_USER_WARNING)],
        'fine-user-error' => static function () use ($yes): void {
            set_error_handler(static fn () => true);
            trigger_error('on purpose', E_USER_ERROR);
            restore_error_handler();
            $yes();
            trigger_error('on purpose', E_USER_WARNING);
        },
        'fine-caught' => static fn () => $logging(static function () use ($yes, $throw): void {
            $yes();
            try {
                try {
                    $throw();
                } catch (LogicException) {
                } finally {
                    strlen('something to do');
                }
            } catch (Error | RuntimeException) {
            }
        }),
        'fine-caught-from-generator' => static fn () => $logging(static function () use ($yes, $throw): void {
            $yes();
            $inner = (static function () use ($throw) {
                yield 1;
                $throw();
            })();
            $outer = (static function () use ($inner) {
                try {
                    yield from $inner;
                } catch (Exception) {
                }
            })();
            foreach ($outer as $_) {
            }
        }),
        'fine-caught-from-fiber' => static fn () => $logging(static function () use ($yes, $throw): void {
            $yes();
            try {
                (new Fiber($throw))->start();
            } catch (Exception) {
            }
        }),
        'fine-caught-parse-error' => static fn () => $logging(static function () use ($yes): void {
            $yes();
            try {
                eval('this does not parse');
            } catch (ParseError) {
            }
        }),
    ];
}
