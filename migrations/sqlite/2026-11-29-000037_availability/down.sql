DROP TABLE chat_agent_presence;
ALTER TABLE chat_agents DROP COLUMN status;
