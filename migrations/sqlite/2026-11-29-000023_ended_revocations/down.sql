DROP INDEX chat_revocations_by_end;
