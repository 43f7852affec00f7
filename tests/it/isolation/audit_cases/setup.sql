-- What the cases of the audit begin with: notes in each tenant's schema and in the platform. The template's `-- Uses:` lines name
-- own_notes, shared_notes and whoami.
CREATE TABLE org_one.notes (id int PRIMARY KEY, text text);
CREATE TABLE org_two.notes (id int PRIMARY KEY, text text);
CREATE TABLE org_three.notes (id int PRIMARY KEY, text text);
INSERT INTO org_one.notes VALUES (1, 'note of one');
INSERT INTO org_two.notes VALUES (1, 'secret of two');
INSERT INTO org_three.notes VALUES (1, 'secret of three');
CREATE TABLE datalinx_platform.notes (tenant name, text text);
INSERT INTO datalinx_platform.notes VALUES ('{one}', 'note of one'), ('{two}', 'secret of two');
CREATE TABLE public.secrets (id int, text text);
INSERT INTO public.secrets VALUES (1, 'secret of two');
INSERT INTO datalinx_platform.shared_notes SELECT * FROM datalinx_platform.notes;
