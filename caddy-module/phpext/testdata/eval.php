<?php

// Runs the PHP code in the body of the request, and answers with what it returns or throws, as JSON; bytes that JSON has no string for
// are for the code to encode.
try {
    $answer = ['returned' => eval(file_get_contents('php://input'))];
} catch (Throwable $t) {
    $answer = ['thrown' => $t::class, 'message' => $t->getMessage(), 'code' => $t->getCode()];
}
echo json_encode($answer, JSON_THROW_ON_ERROR);
